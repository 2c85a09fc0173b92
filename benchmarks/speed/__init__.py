"""How fast it is, and how it grows: `python -m benchmarks.speed`. See ../README.md."""
