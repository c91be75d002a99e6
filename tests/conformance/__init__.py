"""Recorded decisions of Clerk's own backend package, and how they are replayed: README.md."""
