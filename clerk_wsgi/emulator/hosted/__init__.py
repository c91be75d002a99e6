"""The pages of the local Clerk for people: signing in and out, choosing, and its state."""
