"""Telling people without being asked, and the outbox every outgoing message passes through."""
