"""Probes that read the configuration that an Envoy runs, as its admin shows it."""
