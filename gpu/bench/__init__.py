"""Replays traces against the placer and published policies: `python -m gpu.bench`. Imports nothing of Django."""
