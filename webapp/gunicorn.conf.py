"""How gunicorn serves the web process; containers give `--bind` on the command line."""

import os

bind = f"127.0.0.1:{os.environ.get('PORT', '8000')}"
# WEB_CONCURRENCY is gunicorn's own variable for the number of processes.
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
worker_class = "gthread"
threads = 8
# Seconds: an upload of the largest size allowed may take one; a stop waits for requests at work.
timeout = 120
graceful_timeout = 8
control_socket_disable = True
