from __future__ import annotations

from extproc.errors import OuterloopError
from extproc.supervisor.errors import StartError


def test_a_start_error_is_for_people_never_for_clients() -> None:
    assert not issubclass(StartError, OuterloopError)
    assert str(StartError("port 1 is in use")) == "port 1 is in use"
