"""Matchers that several resources use."""

from __future__ import annotations

from envoy_data_plane.envoy.config.route import v3 as route
from envoy_data_plane.envoy.type.matcher import v3 as matcher


def header_is(name: str, value: str) -> route.HeaderMatcher:
    """Match requests whose header (or pseudo-header) `name` is exactly `value`."""
    return route.HeaderMatcher(name=name, string_match=matcher.StringMatcher(exact=value))


def matching(expression: str) -> matcher.StringMatcher:
    """Match a text that the RE2 `expression` matches as a whole."""
    return matcher.StringMatcher(safe_regex=matcher.RegexMatcher(regex=expression))
