from __future__ import annotations

from extproc.http import NO_MUTATIONS
from extproc.stream.commands import Reply, Slot


def test_a_reply_changes_nothing_unless_told_to() -> None:
    assert Reply(Slot.REQUEST_HEADERS).mutations is NO_MUTATIONS
