"""Envoy's wire format. Only what is here touches generated code."""
