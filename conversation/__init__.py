"""One question, one answer, whatever the channel."""
