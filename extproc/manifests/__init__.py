"""Kubernetes objects for the control planes that people run: one package or module per target."""
