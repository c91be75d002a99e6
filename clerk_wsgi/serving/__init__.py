"""Applications under gunicorn, with the command that started them: ``run`` and the demo."""
