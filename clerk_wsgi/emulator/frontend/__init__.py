"""The Frontend API of the local Clerk: what browsers and the scripts in them ask."""
