"""Seeds: files that say who there is in a local Clerk."""
