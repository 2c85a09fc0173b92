"""Filters: what may refuse or rewrite a conversation."""
