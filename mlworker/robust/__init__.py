"""Training that leans less on names learned by heart: the paper's robust baselines.

`replacement` puts other names into sentences (DataAug), `bottleneck` holds what the span
representation may say (VaniB), `objective` is what training minimises (both, and MINER).
"""
