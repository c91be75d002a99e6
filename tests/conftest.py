"""The plugins of this suite: the kit's own, from this checkout, and pytest's for testing it."""

pytest_plugins = ["clerk_wsgi.testing.plugin", "pytester"]
