"""The control API of the local Clerk: what no Clerk does, for tests and for people."""
