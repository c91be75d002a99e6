"""The command ``clerk-wsgi``: a local Clerk, session tokens, and wrapped applications.

    clerk-wsgi emulator    a local Clerk to run against
    clerk-wsgi token       print a session token
    clerk-wsgi run         an application of one's own, wrapped, under gunicorn
    clerk-wsgi demo        the local Clerk, and a wrapped application under gunicorn

The exit status is 2 for what has to be asked in another way, 1 for what Clerk refused.
"""

from .command import main

__all__ = ["main"]
