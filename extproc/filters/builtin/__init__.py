"""Filters that ship with Outerloop."""
