"""The Backend API of the local Clerk: what servers ask with the secret key."""
