"""What the local model is worth, in figures that anyone can make again: `python -m mlworker bench`.

Dev decides everything (epoch, temperature, thresholds); the gold of each test set is looked
at once, at the end.
"""
