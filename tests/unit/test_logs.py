from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from extproc.logs import LEVELS, configure


@pytest.fixture(autouse=True)
def restore() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.mark.parametrize("level", LEVELS)
def test_what_is_below_the_level_is_not_logged(
    level: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(level)
    for each in LEVELS:
        logging.getLogger("x").log(logging.getLevelName(each.upper()), "line of %s", each)
    lines = capsys.readouterr().err.splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == list(LEVELS[LEVELS.index(level) :])


def test_libraries_do_not_log_what_passes_through_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure("debug")
    logging.getLogger("aiohttp.client").debug("a prompt")
    logging.getLogger("grpc._cython").info("a prompt")
    assert not capsys.readouterr().err


class ExecuteBatchError(Exception):
    """As gRPC's own, which only its core raises."""


@pytest.mark.parametrize(
    ("error", "told"), [(ExecuteBatchError("gone"), False), (ValueError("a bug"), True)]
)
def test_a_caller_that_hangs_up_is_no_fault_of_ours(
    error: Exception, told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    configure("info")
    try:
        raise error
    except type(error):
        logging.getLogger("grpc._cython.cygrpc").exception("Unexpected error by servicer method")
    assert bool(capsys.readouterr().err) is told


def test_what_is_hidden_is_what_grpc_calls_it() -> None:
    from grpc._cython import cygrpc

    assert cygrpc.ExecuteBatchError.__module__ == "grpc._cython.cygrpc"
    assert cygrpc.ExecuteBatchError.__name__ == ExecuteBatchError.__name__
