"""Metrics and traces; lower layers see Protocols only."""
