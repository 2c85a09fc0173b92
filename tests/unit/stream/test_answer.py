from __future__ import annotations

import pytest

from extproc.errors import Reject
from extproc.http import Mutations
from extproc.stream.answer import AnswerMachine
from extproc.stream.commands import Chunk, Reply, Respond, Slot

HEAD = Mutations(remove_headers=("etag",))
HEADERS = Reply(Slot.RESPONSE_HEADERS, HEAD)
LOG = {"output_filters": "f=passed"}
NO = Reject(422, "filter_denied", "no")


@pytest.fixture
def machine() -> AnswerMachine:
    return AnswerMachine("/v1/messages")


def test_headers_wait_for_the_first_bytes(machine: AnswerMachine) -> None:
    assert machine.proceed(b"", HEAD) == []
    assert machine.proceed(b"a", HEAD) == [HEADERS, Chunk(b"a", end_of_stream=False)]
    assert machine.proceed(b"b", HEAD) == [Chunk(b"b", end_of_stream=False)]
    assert machine.finish(b"c", HEAD, LOG, trailers=False) == [Chunk(b"c", True, LOG)]
    assert machine.done


def test_an_end_without_bytes_is_an_end(machine: AnswerMachine) -> None:
    assert machine.finish(b"", HEAD, LOG, trailers=False) == [HEADERS, Chunk(b"", True, LOG)]


@pytest.mark.parametrize("data", [b"", b"rest"])
def test_trailers_come_last(data: bytes, machine: AnswerMachine) -> None:
    chunks = [Chunk(data, end_of_stream=False)] if data else []
    trailers = Reply(Slot.RESPONSE_TRAILERS, metadata=LOG)
    assert machine.finish(data, HEAD, LOG, trailers=True) == [HEADERS, *chunks, trailers]


def test_a_refusal_before_the_first_byte_is_an_answer(machine: AnswerMachine) -> None:
    assert machine.refuse(NO, b"event", LOG) == [Respond(NO, "/v1/messages", LOG)]
    assert machine.done


def test_a_refusal_later_is_an_event_and_the_end(machine: AnswerMachine) -> None:
    machine.proceed(b"a", HEAD)
    assert machine.refuse(NO, b"event", LOG) == [Chunk(b"event", True, LOG)]


def test_an_answer_may_have_no_body(machine: AnswerMachine) -> None:
    assert machine.headers_only(HEAD) == [HEADERS]
    assert machine.done
