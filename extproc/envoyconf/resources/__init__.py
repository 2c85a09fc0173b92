"""Topology to typed Envoy objects, one module per resource."""
