from __future__ import annotations

import pytest
from envoy_data_plane.envoy.extensions.filters.http.ext_proc.v3 import ProcessingModeBodySendMode

from extproc.stream.events import BodyMode, RequestBody


def test_body_modes_are_envoys() -> None:
    theirs = {mode.name: mode.value for mode in ProcessingModeBodySendMode}
    assert {mode.name: mode.value for mode in BodyMode} == theirs


def test_events_do_not_change() -> None:
    with pytest.raises(AttributeError):
        RequestBody(b"").body = b"x"  # type: ignore[misc] # what the test is about
