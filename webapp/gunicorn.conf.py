"""How gunicorn serves the web process; containers give `--bind` on the command line."""

import os

bind = f"127.0.0.1:{os.environ.get('PORT', '8000')}"
# WEB_CONCURRENCY is gunicorn's own variable for the number of processes.
# One more than there are cores, because requests take turns in each (`webapp/turns.py`), and some
# wait for the disk; with more, those of a process that has many connections are late.
workers = int(os.environ.get("WEB_CONCURRENCY", min((os.cpu_count() or 1) + 1, 8)))
worker_class = "gthread"
threads = 8
# Seconds: an upload of the largest size allowed may take one; a stop waits for requests at work.
timeout = 120
graceful_timeout = 8
control_socket_disable = True
