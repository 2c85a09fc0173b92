"""Probes that need the gateway's address alone: requests like a client's, and their answers."""
