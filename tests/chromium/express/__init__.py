"""Clerk's own middleware for Express beside ours: where both run, and what browsers see of them."""
