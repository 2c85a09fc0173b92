"""Topology -> typed Envoy resources: one module per resource, pure functions."""
