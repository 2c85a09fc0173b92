"""Configuration to Envoy: Topology, typed resources, rendered files."""
