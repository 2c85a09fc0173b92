"""Pydantic models of the YAML, one module per section; `root.Config` is the whole.

Attributes carry the names of the keys. Durations are `timedelta`, sizes bytes, lists tuples.
"""
