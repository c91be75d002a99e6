"""The Django project of these tests as a WSGI application, for servers in other processes."""

from __future__ import annotations

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from .django_settings import SETTINGS

settings.configure(**SETTINGS, SECRET_KEY="for tests alone", ALLOWED_HOSTS=["127.0.0.1"])
app = get_wsgi_application()
