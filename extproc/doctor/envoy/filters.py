"""The settings of the ext_proc filters that ask for decisions."""

from __future__ import annotations

from typing import Final

from extproc import names
from extproc.doctor import fixes
from extproc.doctor.envoy.attachment import Attachment, HttpFilter, seconds
from extproc.doctor.envoy.matching import allows
from extproc.doctor.envoy.probing import probe
from extproc.doctor.expected import Expected
from extproc.doctor.probe import Finding, ok, unknown, wrong

_MODES: Final = {
    # phase: what it must be, and what it is where nothing is said
    "request_header_mode": (("SEND",), "SEND"),
    "request_body_mode": (("BUFFERED",), "NONE"),
    "request_trailer_mode": (("SEND",), "SKIP"),
    # Never sent: the stream ends with the decision.
    "response_header_mode": (("SKIP", "SEND"), "SEND"),
    "response_body_mode": (("NONE",), "NONE"),
}
_DEFAULT_TIMEOUT: Final = 0.2
_NEEDED: Final = (
    names.HEADER_AGENT,
    names.HEADER_PLAN,
    names.HEADER_ERROR,
    "content-length",
    "content-type",
    names.HEADER_TRACEPARENT,
    names.HEADER_HOPS,
)


def modes(attachment: Attachment, _expected: Expected) -> Finding:
    """Compare what is sent of requests and answers."""
    for each in attachment.deciding:
        for phase, (right, default) in _MODES.items():
            mode = each.modes.get(phase, default)
            if mode not in right:
                return wrong(f"{each.name}: {phase} {mode}")
    return ok("request headers, bodies (BUFFERED) and trailers are sent, answers are not")


def timeouts(attachment: Attachment, expected: Expected) -> Finding:
    """Compare the time that Envoy waits with the time that a decision may take."""
    limit = expected.decision_timeout
    for each in attachment.deciding:
        waits = seconds(each.config.get("message_timeout"))
        if waits is None or waits <= _DEFAULT_TIMEOUT:
            default = ", the default" if waits is None else ""
            return wrong(f"{each.name}: message_timeout {waits or _DEFAULT_TIMEOUT:g} s{default}")
        if limit is not None and waits <= limit:
            return wrong(f"{each.name}: message_timeout {waits:g} s, decision_timeout {limit:g} s")
        if each.config.get("max_message_timeout") is None:
            return wrong(f"{each.name}: no max_message_timeout, so plans cannot ask for more time")
    waits = seconds(attachment.deciding[0].config.get("message_timeout"))
    return ok(f"message_timeout {waits:g} s")


def mutation_rules(attachment: Attachment, _expected: Expected) -> Finding:
    """Look whether the processor may set what it must."""
    for each in attachment.deciding:
        rules = each.config.get("mutation_rules", {})
        missing = [name for name in _NEEDED if not allows(rules, name)]
        if missing:
            return wrong(f"{each.name}: not allowed: {', '.join(missing)}")
    wide = allows(attachment.deciding[-1].config.get("mutation_rules", {}), "authorization")
    return ok("all that is needed, and more: authorization too" if wide else "what is needed")


def failure_mode(attachment: Attachment, expected: Expected) -> Finding:
    """Look whether one filter lets nothing pass that was not decided."""
    if expected.observes:
        return ok("what is only observed may pass undecided")
    strict = [each for each in attachment.deciding if not each.config.get("failure_mode_allow")]
    if not strict:
        return wrong(f"{attachment.deciding[-1].name}: failure_mode_allow true")
    if all(each.conditional for each in strict) and len(attachment.deciding) == len(strict):
        return unknown(f"{strict[-1].name} is skipped for some requests")
    return ok(f"{strict[-1].name}: failure_mode_allow false")


def route_cache(attachment: Attachment, expected: Expected) -> Finding:
    """Look whether a decision may have the route chosen again."""
    for each in attachment.deciding:
        if (kept := _keeps_routes(each)) and not expected.observes:
            return wrong(f"{each.name}: {kept}")
    return ok("the route is chosen again")


def _keeps_routes(http_filter: HttpFilter) -> str:
    if http_filter.config.get("route_cache_action") == "RETAIN":
        return "route_cache_action RETAIN"
    if http_filter.config.get("disable_clear_route_cache"):
        return "disable_clear_route_cache true"
    return ""


PROBES: Final = (
    probe("envoy-modes", modes, fixes.PHASES),
    probe("envoy-timeout", timeouts, fixes.PATIENCE),
    probe("envoy-mutation-rules", mutation_rules, fixes.WRITABLE),
    probe("envoy-failure-mode", failure_mode, fixes.CLOSED),
    probe("envoy-route-cache", route_cache, fixes.RECHOSEN),
)
