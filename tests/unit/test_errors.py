from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from extproc import errors
from extproc.errors import GATEWAY_ERRORS, OuterloopError, Reject, to_reject

SECRET = "my card is 4111"

# Each row of the contract that an exception stands for: exception, status, code, details.
CONTRACT: list[tuple[OuterloopError, int, str, dict[str, str | int]]] = [
    (errors.InvalidRequest("why"), 400, "invalid_request", {}),
    (errors.NotFound("why"), 404, "not_found", {}),
    (errors.MethodNotAllowed("GET", "POST"), 405, "method_not_allowed", {}),
    (errors.RequestTooLarge("why"), 413, "request_too_large", {}),
    (errors.UnsupportedEncoding("why"), 415, "unsupported_encoding", {}),
    (errors.FilterDenied("guard", 403, "why"), 403, "filter_denied", {"filter": "guard"}),
    (errors.FilterDenied("guard", 451, "why"), 451, "filter_denied", {"filter": "guard"}),
    (errors.FilterFailed("guard"), 502, "filter_failed", {"filter": "guard"}),
    (errors.FilterFailed("guard", timed_out=True), 504, "filter_failed", {"filter": "guard"}),
    (errors.NoAgentFits("why"), 422, "no_agent_fits", {}),
    (errors.StepFailed("a"), 502, "step_failed", {"agent": "a"}),
    (errors.StepFailed("a", 500), 502, "step_failed", {"agent": "a", "upstream_status": 500}),
    (errors.OrchestratorFailed("why"), 503, "orchestrator_failed", {}),
    (errors.DecisionTimeout("why"), 504, "decision_timeout", {}),
    (errors.LoopDetected("why"), 508, "loop_detected", {}),
    (errors.UnsupportedGateway("why"), 500, "internal_error", {}),
]

GATEWAY_CONTRACT = {
    "processor_unavailable": 503,
    "decision_timeout": 504,
    "request_too_large": 413,
    "no_healthy_upstream": 503,
    "upstream_unreachable": 503,
    "upstream_reset": 503,
    "overloaded": 503,
    "no_route": 503,
    "bad_upstream": 502,
    "upstream_timeout": 504,
    "request_timeout": 408,
    "headers_too_large": 431,
    "bad_request": 400,
}


def subclasses(base: type[OuterloopError]) -> Iterator[type[OuterloopError]]:
    for child in base.__subclasses__():
        yield child
        yield from subclasses(child)


def rows_of_their_own() -> set[type[OuterloopError]]:
    """Kinds that narrow another, for who catches them, share its row."""
    return {kind for kind in subclasses(OuterloopError) if "code" in vars(kind)}


def test_every_exception_class_has_its_row() -> None:
    assert {type(error) for error, *_ in CONTRACT} == rows_of_their_own()


@pytest.mark.parametrize(("error", "status", "code", "details"), CONTRACT)
def test_an_error_is_answered_by_its_row(
    error: OuterloopError, status: int, code: str, details: dict[str, str | int]
) -> None:
    reject = to_reject(error)
    assert (reject.status, reject.code, reject.details) == (status, code, details)
    assert reject.message == error.message == str(error)


def test_the_docstring_draws_every_class() -> None:
    assert errors.__doc__ is not None
    drawn = set(errors.__doc__.replace("──", "").replace("├", "").replace("└", "").split())
    assert {kind.__name__ for kind in rows_of_their_own()} <= drawn


def test_the_allowed_method_is_named() -> None:
    reject = to_reject(errors.MethodNotAllowed("DELETE", "POST"))
    assert reject.headers == (("allow", "POST"),)
    assert reject.message == "method DELETE is not allowed here; use POST"


def test_a_timeout_from_anywhere_is_the_decision_s() -> None:
    reject = to_reject(TimeoutError(SECRET))
    assert (reject.status, reject.code) == (504, "decision_timeout")
    assert SECRET not in reject.message


class Awkward(Exception):
    """An exception whose text cannot even be made."""

    def __str__(self) -> str:
        raise RuntimeError(SECRET)


def chained() -> Exception:
    try:
        try:
            int(SECRET)
        except ValueError as cause:
            raise KeyError(SECRET) from cause
    except KeyError as error:
        error.add_note(SECRET)
        return error
    raise AssertionError


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(SECRET),
        UnicodeDecodeError("utf-8", SECRET.encode(), 0, 1, SECRET),
        ExceptionGroup(SECRET, [ValueError(SECRET)]),
        Awkward(),
        chained(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_unknown_exception_leaves_an_id_and_nothing_else(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        reject = to_reject(error)
    assert (reject.status, reject.code, reject.headers) == (500, "internal_error", ())
    assert set(reject.details) == {"id"}
    assert reject.message == "an internal error; see the log"
    assert str(reject.details["id"]) in caplog.text
    assert type(error).__name__ in caplog.text
    assert SECRET not in caplog.text


def test_each_unknown_exception_has_its_own_id(caplog: pytest.LogCaptureFixture) -> None:
    ids = {to_reject(RuntimeError()).details["id"] for _ in range(2)}
    assert len(ids) == 2
    assert len(caplog.records) == 2


def test_the_log_says_where_it_happened(caplog: pytest.LogCaptureFixture) -> None:
    to_reject(chained())
    assert "in chained" in caplog.text


def test_gateway_errors_are_the_contract_s() -> None:
    assert {code: error.status for code, error in GATEWAY_ERRORS.items()} == GATEWAY_CONTRACT
    assert all(error.code == code and error.message for code, error in GATEWAY_ERRORS.items())


def test_a_reject_has_no_details_unless_given() -> None:
    assert Reject(400, "invalid_request", "why").details == {}
