"""Files that people hand in, in a folder outside of what is served."""
