"""Where is my dossier? Many codes at once: cache, then source, then the last known answer."""
