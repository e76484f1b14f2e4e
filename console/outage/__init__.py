"""Work on paper while the system is down (art. 7.3): codes set aside, entered afterwards, and made sure that none is lost."""
