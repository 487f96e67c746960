"""Spanlight's ML core: stateless functions that know nothing of Django or a database."""

import os

# A thread that spins while it waits for another steals the core from the very thread that it
# waits for, once web and workers share a small machine: training there takes up to eight times
# the processor time. OpenMP reads this when torch is loaded, so it must be said before.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
