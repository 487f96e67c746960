"""Models and domain rules of Spanlight; no torch, no transformers, no openai."""
