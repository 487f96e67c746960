"""What the review page is worth, in figures that anyone can make again: `python -m webapp.bench`.

A data folder of its own, a project of 10,000 documents, the web process as `make run` starts it,
and 8 annotators who make the calls that the page makes.
"""
