"""Others that do the same job, beside ours: `python -m benchmarks.speed.peers`."""
