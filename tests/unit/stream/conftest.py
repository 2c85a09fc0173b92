from __future__ import annotations

from collections.abc import Iterable
from typing import Self

import pytest

from extproc.stream.commands import Command
from extproc.stream.events import Event
from extproc.stream.machine import StreamMachine


class Playbook:
    """A stream as a script: `>> event` says what Envoy sends, `<< command` what must come of it.

    Every event must be followed by its command; `done()` says that the script ends here.
    """

    def __init__(self, max_request_bytes: int) -> None:
        self.machine = StreamMachine(max_request_bytes)
        self._pending: list[Command] = []

    def __rshift__(self, event: Event) -> Self:
        assert not self._pending, f"nobody asked for {self._pending[0]}"
        self._pending.append(self.machine.receive(event))
        return self

    def __lshift__(self, command: Command) -> Self:
        assert self._pending, f"{command} was never commanded"
        assert self._pending.pop() == command
        return self

    def run(self, events: Iterable[Event]) -> list[Command]:
        return [self.machine.receive(event) for event in events]


@pytest.fixture
def playbook() -> Playbook:
    return Playbook(max_request_bytes=16)
