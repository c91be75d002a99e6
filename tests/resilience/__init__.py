"""When Clerk is slow, broken or hostile: real servers, a wrapped application, and load on it."""
