"""Clerk's Backend API: how it is reached, what it is asked, how its answers are read."""
