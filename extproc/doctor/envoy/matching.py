"""What Envoy's matchers and rules say to a header's name."""

from __future__ import annotations

import re

from extproc.doctor.envoy.dump import Json


def matches(matcher: Json, name: str) -> bool:
    """Tell whether a `StringMatcher` matches a header name, which Envoy has in lower case."""
    ignore_case = bool(matcher.get("ignore_case"))
    for how, holds in (
        ("exact", name.__eq__),
        ("prefix", name.startswith),
        ("suffix", name.endswith),
        ("contains", name.__contains__),
    ):
        if how in matcher:
            wanted = str(matcher[how])
            return bool(holds(wanted.lower() if ignore_case else wanted))
    return _fully(matcher.get("safe_regex", {}), name)


def removes(mutation: Json, name: str) -> bool:
    """Tell whether a `HeaderMutation` takes away a header of that name."""
    if str(mutation.get("remove", "")).lower() == name:
        return True
    matcher = mutation.get("remove_on_match", {}).get("key_matcher")
    return matcher is not None and matches(matcher, name)


def allows(rules: Json, name: str) -> bool:
    """Tell whether `HeaderMutationRules` let a processor set a header of that name.

    Of Envoy's own exceptions there is none among the names that we ask about.
    """
    if "disallow_expression" in rules and _fully(rules["disallow_expression"], name):
        return False
    if "allow_expression" in rules and _fully(rules["allow_expression"], name):
        return True
    return not rules.get("disallow_all")


def _fully(expression: Json, name: str) -> bool:
    """Match as RE2 does in Envoy: all of the name. What Python cannot read matches nothing."""
    try:
        return re.fullmatch(str(expression.get("regex", "")), name) is not None
    except re.error:
        return False
