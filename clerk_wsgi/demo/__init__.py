"""The demo: a local Clerk, and a small application wrapped with ``require_session``."""
