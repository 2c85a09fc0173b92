"""The filters of an answer: what its request leaves for them, and one answer at their hands."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Self

from extproc import names
from extproc.apis.errors import error_event
from extproc.conversation import Api
from extproc.errors import Reject, to_reject
from extproc.exchange import Exchange
from extproc.filters.answer import OF_THE_BYTES, AnswerRun
from extproc.filters.api import Phase
from extproc.filters.chain import Chain, Setting
from extproc.http import HeaderPairs, Headers, Metadata, Mutations
from extproc.plan import Decision, FilterRecord
from extproc.stream.events import ResponseHeaders
from extproc.verdict import step_headers


@dataclass(frozen=True, slots=True)
class AnswerFilters:
    """What an agent's answers to one listener pass: its own filters, then the listener's.

    `timeout` is how long (seconds) the agent may take for all of an answer. `told` are the headers
    that a client gets with a refusal: Envoy adds them to whole answers alone.
    """

    chain: Chain
    timeout: float
    max_bytes: int
    told: frozenset[str] = frozenset()

    @property
    def forwards(self) -> frozenset[str]:
        """The request headers that any of the filters may see."""
        return frozenset(name for link in self.chain.links for name in link.forwards)


def describe(
    filters: AnswerFilters, exchange: Exchange, decision: Decision, exchange_id: str
) -> str:
    """Return what the filters of an answer need to know, as Envoy carries it to them."""
    last = len(decision.plan.agents) - 1
    setting = exchange.setting(step_headers(decision, last))
    return json.dumps(
        {
            "id": exchange_id,
            "listener": decision.listener,
            "agent": decision.agent,
            "path": setting.api,
            "ours": setting.ours,
            "client": [pair for pair in setting.client if pair[0] in filters.forwards],
            "traceparent": setting.traceparent,
        }
    )


def describe_unfiltered(decision: Decision) -> str:
    """Return what tells an answer that passes as it is from one that nothing is known of.

    Some gateways send the answers of all agents of a listener where one has filters.
    """
    return json.dumps({"listener": decision.listener, "agent": decision.agent})


class Answering:
    """One answer. Must be entered; `records` has what each filter did once it is left.

    `feed` and `close` yield bytes or, as their last value, the error that ends the answer.
    `described` is what `describe` returned, read again.
    """

    def __init__(
        self, filters: AnswerFilters, described: Mapping[str, Any], event: ResponseHeaders
    ) -> None:
        self.records: list[FilterRecord] = []
        self.id: str = described["id"]
        self.path: str = described["path"]
        self.timeout = filters.timeout
        status = event.headers.get(":status") or ""
        setting = Setting(
            phase=Phase.OUTPUT,
            api=Api(self.path),
            client=Headers(_pairs(described["client"])),
            ours=_pairs(described["ours"]),
            traceparent=described["traceparent"],
            record=self.records.append,
            status=int(status) if status.isdigit() else None,
        )
        self._told = tuple(pair for pair in setting.ours if pair[0] in filters.told)
        self._run = AnswerRun(filters.chain, setting, event.headers, filters.max_bytes)
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        self._exits.enter_context(self._run)
        return self

    def __exit__(self, *_error: object) -> None:
        self._exits.close()

    async def feed(self, data: bytes) -> AsyncIterator[bytes | Reject]:
        """Take the next bytes of the body; yield those that may go on now."""
        try:
            async for piece in self._run.feed(data):
                yield piece
        except Exception as error:  # noqa: BLE001 - to_reject is the one place that knows them all
            yield self._reject(error)

    async def close(self) -> AsyncIterator[bytes | Reject]:
        """Take the end of the body; yield what is left of it."""
        try:
            async for piece in self._run.close():
                yield piece
        except Exception as error:  # noqa: BLE001 - to_reject is the one place that knows them all
            yield self._reject(error)

    def _reject(self, error: Exception) -> Reject:
        reject = to_reject(error)
        return replace(reject, headers=(*reject.headers, *self._told))

    def head(self, length: int | None) -> Mutations:
        """Return how the headers change, for a body of `length` bytes where that is known."""
        if not self._run.changed:
            return Mutations(self._run.tags)
        if length is None or self._run.streams:
            return Mutations(self._run.tags, (*OF_THE_BYTES, "content-length"))
        size = (("content-length", str(length)),)
        return Mutations((*self._run.tags, *size), OF_THE_BYTES)

    def error_event(self, reject: Reject) -> bytes:
        """Return an error as an event of the stream."""
        return error_event(self.path, reject)

    @property
    def metadata(self) -> Metadata:
        """What the access log is told."""
        labels = ",".join(f"{each.filter}={each.label}" for each in self.records)
        return {names.METADATA_OUTPUT_FILTERS: labels}


def _pairs(listed: list[list[str]]) -> HeaderPairs:
    return tuple((name, value) for name, value in listed)
