"""Asking a running stack: where its admin is, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import aiohttp

from extproc.address import SocketAddress, parse
from extproc.cli.failures import FAULTS, USAGE, Failure
from extproc.cli.files import read

_TIMEOUT: Final = aiohttp.ClientTimeout(total=5)
"""Longer than the admin waits for Envoy."""

T = TypeVar("T")


def address_of(file: Path | None, admin: str | None) -> SocketAddress:
    """Return the admin's address: that of `--admin`, or else the file's. Raises `Failure`."""
    if admin is not None:
        try:
            address = parse(admin)
        except ValueError as error:
            raise Failure(f"--admin {admin}: {error}", USAGE) from error
        if not isinstance(address, SocketAddress):
            raise Failure("--admin needs host:port", USAGE)
        return address
    if file is None:
        raise Failure("give -c FILE or --admin HOST:PORT", USAGE)
    section = read(file).config.admin
    if not section.port:
        raise Failure(f"{file} lets the admin take any port: give --admin HOST:PORT", USAGE)
    return SocketAddress(section.address, section.port)


async def ask(address: SocketAddress, path: str, understand: Callable[[Any], T]) -> T:
    """Return what `understand` makes of the JSON that the admin answers. Raises `Failure`.

    `understand` raises AttributeError, LookupError, TypeError or ValueError where the answer is
    not a stack's.
    """
    try:
        # Not the environment's proxies: the stack is ours.
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.get(f"http://{address}{path}") as response,
        ):
            return understand(_answer(response.status, await response.json()))
    except (
        *(aiohttp.ContentTypeError, aiohttp.InvalidURL),
        *(AttributeError, LookupError, TypeError, ValueError),
    ) as error:
        raise Failure(f"{address} is not the admin address of a stack", FAULTS) from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Failure(f"no stack answers at {address}; does `outerloop up` run?", FAULTS) from error


def _answer(status: int, answer: Any) -> Any:  # noqa: ANN401 - whatever JSON gives
    """Let an answer through. Raises `Failure` with the admin's own words, or ValueError."""
    if isinstance(answer, dict) and isinstance(answer.get("error"), str):
        raise Failure(answer["error"], FAULTS)
    if status != 200:  # noqa: PLR2004 - HTTP's OK
        raise ValueError("no answer of a stack's")
    return answer
