"""One client's request on its way: what every stage needs to know of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from extproc import names
from extproc.budget import Budget
from extproc.capturing import NOTHING, Captured
from extproc.conversation import Api
from extproc.filters.api import Phase
from extproc.filters.chain import Setting
from extproc.forwarding import Trail
from extproc.http import HeaderPairs, Headers, HttpRequest
from extproc.plan import FilterRecord, StepRecord


class Exchange(NamedTuple):
    """A request, its way so far, and what it may still take.

    `tags` are what filters have said of it, `captured` what is to be kept of its text. `filters`
    and `steps` take the records of who worked for it, in the order they end.
    """

    request: HttpRequest
    trail: Trail
    budget: Budget
    filters: list[FilterRecord]
    steps: list[StepRecord]
    tags: HeaderPairs = ()
    captured: Captured = NOTHING

    def tagged(self, tags: HeaderPairs) -> Exchange:
        """Return the exchange with more tags, which rules see like any header."""
        if not tags:
            return self
        headers = Headers((*self.request.headers.pairs, *tags))
        request = self.request._replace(headers=headers)
        return self._replace(request=request, tags=(*self.tags, *tags))

    def forked(self) -> Exchange:
        """Return the exchange with a budget of its own, for what runs beside others."""
        return self._replace(budget=Budget(self.budget.left))

    def setting(self, ours: HeaderPairs, phase: Phase = Phase.INPUT) -> Setting:
        """Return the setting of filters that are told `ours`, and the request's id and tags."""
        request_id = self.request.headers.get(names.HEADER_REQUEST_ID)
        ids = ((names.HEADER_REQUEST_ID, request_id),) if request_id is not None else ()
        record: Callable[[FilterRecord], None] = self.filters.append
        return Setting(
            phase=phase,
            api=Api(self.request.path),
            client=self.request.headers,
            ours=(*ids, *ours, *self.tags),
            traceparent=self.trail.traceparent,
            record=record,
            budget=self.budget,
        )
