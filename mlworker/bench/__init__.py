"""What the local model is worth, and what an LLM brings beside it, in figures that anyone can make
again: `python -m mlworker bench`.

Dev decides everything (epoch, temperature, thresholds); the gold of each test set is looked
at once, at the end.
"""
