"""Strategies: conversation and agents in, plan out."""
