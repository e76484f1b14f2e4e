"""Messages to many: written by one officer, approved by another, watched and stopped by those who may."""
