"""Outerloop: the outer loop for AI agents, as an Envoy external-processing filter."""
