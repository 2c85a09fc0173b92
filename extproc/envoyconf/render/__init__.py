"""Typed resources to files, one module per target."""
