"""Matchers that several resources use."""

from __future__ import annotations

from envoy_data_plane.envoy.config.route import v3 as route
from envoy_data_plane.envoy.type.matcher import v3 as matcher
from envoy_data_plane.xds.core import v3 as xds_core
from envoy_data_plane.xds.type.matcher import v3 as xds

from extproc.envoyconf.resources.extensions import Packed


def header_is(name: str, value: str) -> route.HeaderMatcher:
    """Match requests whose header (or pseudo-header) `name` is exactly `value`."""
    return route.HeaderMatcher(name=name, string_match=matcher.StringMatcher(exact=value))


def matching(expression: str) -> matcher.StringMatcher:
    """Match a text that the RE2 `expression` matches as a whole."""
    return matcher.StringMatcher(safe_regex=matcher.RegexMatcher(regex=expression))


def on_header(
    name: str, expression: str, then: xds.MatcherOnMatch, otherwise: xds.MatcherOnMatch | None
) -> xds.Matcher:
    """Choose by whether the RE2 `expression` matches the whole of a request's header `name`."""
    header = xds.MatcherMatcherListPredicateSinglePredicate(
        input=xds_core.TypedExtensionConfig(
            name="header",
            typed_config=Packed(matcher.HttpRequestHeaderMatchInput(header_name=name)),
        ),
        value_match=xds.StringMatcher(
            safe_regex=xds.RegexMatcher(google_re2=xds.RegexMatcherGoogleRe2(), regex=expression)
        ),
    )
    first = xds.MatcherMatcherListFieldMatcher(
        predicate=xds.MatcherMatcherListPredicate(single_predicate=header), on_match=then
    )
    return xds.Matcher(matcher_list=xds.MatcherMatcherList(matchers=[first]), on_no_match=otherwise)
