"""gunicorn for any of the examples: ``gunicorn -c gunicorn.conf.py plain_wsgi:app``."""

bind = "127.0.0.1:8000"
workers = 2
worker_class = "gthread"
threads = 4
# Each worker fetches Clerk's keys once and keeps them; --preload and gevent work as well.
preload_app = False
accesslog = "-"
# Otherwise two instances on one machine fight over a socket (gunicorn 25 and newer).
control_socket_disable = True


def post_worker_init(worker: object) -> None:
    """Fetch the keys of the default instance before the first request has to wait for them."""
    from clerk_wsgi import default_clerk

    default_clerk().warm_up()
