"""The minimal intake module: procedures now; registering dossiers comes with a later release."""
