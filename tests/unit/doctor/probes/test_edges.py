from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from extproc.doctor import http2
from extproc.doctor.probe import Outcome, Session
from extproc.doctor.probes.edges import ALIVE, PRIVATE, TRAILERS
from extproc.doctor.reply import Reply
from extproc.doctor.requests import BROKEN

Visit = Callable[..., Session]
REFUSED = b'{"error": {"code": "invalid_request"}}'


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(200), Outcome.OK),
        (Reply(404, (("x-outerloop-error", "not_found"),)), Outcome.UNKNOWN),
        (Reply(503), Outcome.UNKNOWN),
    ],
)
async def test_liveness(visit: Visit, reply: Reply, outcome: Outcome) -> None:
    assert (await ALIVE.run(visit(lambda _: reply))).outcome is outcome


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b'{"status": "ready", "generation": 1, "workers": [], "envoy": null}', Outcome.WRONG),
        (b'{"status": "ready"}', Outcome.OK),
        (b"", Outcome.OK),
    ],
)
async def test_the_admin_is_not_public(visit: Visit, body: bytes, outcome: Outcome) -> None:
    assert (await PRIVATE.run(visit(lambda _: Reply(200, body=body)))).outcome is outcome


@pytest.mark.parametrize(
    ("answers", "outcome", "told"),
    [
        ([REFUSED, REFUSED], Outcome.OK, "HTTP/2"),
        ([b'{"error": {"code": "no_route"}}'], Outcome.WRONG, "no body, then trailers"),
        ([b""], Outcome.WRONG, "an answer without body"),
        ([REFUSED, b"\xff hello"], Outcome.WRONG, "a broken body, then trailers"),
        ([http2.NotSpoken("no HTTP/2")], Outcome.UNKNOWN, "no HTTP/2"),
    ],
)
async def test_requests_that_end_in_trailers(
    make_session: Callable[[], Session],
    monkeypatch: pytest.MonkeyPatch,
    answers: list[bytes | Exception],
    outcome: Outcome,
    told: str,
) -> None:
    sent: list[bytes] = []

    async def post(_target: Any, _path: str, body: bytes, _request_id: str) -> bytes:
        sent.append(body)
        answer = answers[len(sent) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(http2, "post_with_trailers", post)
    session = make_session()
    finding = await TRAILERS.run(session)
    assert finding.outcome is outcome
    assert told in finding.seen
    assert sent == [b"", BROKEN][: len(answers)]
    assert session.client.sent == len(sent)


@pytest.fixture
def make_session(visit: Visit, gateway: Any) -> Callable[[], Session]:
    return lambda: visit(gateway)
