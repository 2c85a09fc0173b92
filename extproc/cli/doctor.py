"""`outerloop doctor`: what is wrong in how a gateway is attached to the processor."""

from __future__ import annotations

import asyncio
import json
import ssl
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import click

from extproc.address import Address, parse
from extproc.cli.failures import FAULTS, NOT_STARTED, USAGE, Failure
from extproc.cli.files import pick_listener, read
from extproc.config.model.types import parse_header_name, parse_header_value, parse_url
from extproc.doctor.client import Client, Target
from extproc.doctor.examination import REACHABLE, Result, examine
from extproc.doctor.expected import Expected, from_config
from extproc.doctor.fixes import Fix
from extproc.doctor.probe import Outcome
from extproc.doctor.prompts import Prompts
from extproc.doctor.tls import Tls
from extproc.origin import Origin, parse_origin

_COLORS: Final = {Outcome.OK: "green", Outcome.WRONG: "red", Outcome.UNKNOWN: "yellow"}
_NAME: Final = 20
"""Columns of the longest name."""
_INDENT: Final = " " * 9
_WIDTH: Final = 100


@dataclass(frozen=True, slots=True)
class Options:
    """What the command was given. `timeout`: seconds for each request."""

    gateway: str
    file: Path | None
    listener: str | None
    headers: tuple[str, ...] = field(repr=False)
    timeout: float
    ca_file: Path | None
    certificate: Path | None
    envoy_admin: str | None
    as_json: bool


def doctor(options: Options) -> None:
    """Probe the gateway and print what was found. Raises `Failure` where something is wrong."""
    headers = tuple(map(_header, options.headers))
    target = Target(_origin(options.gateway), headers, options.timeout, _tls(options))
    expected, envoy_admin = _expected(options), _envoy_admin(options.envoy_admin)
    results = asyncio.run(_examine(target, expected, envoy_admin, as_json=options.as_json))
    wrong = [result.name for result in results if result.outcome is Outcome.WRONG]
    if wrong == [REACHABLE]:
        raise Failure(f"{options.gateway}: {results[0].seen}", NOT_STARTED)
    if wrong:
        raise Failure(f"wrong: {', '.join(wrong)}", FAULTS)


async def _examine(
    target: Target, expected: Expected, envoy_admin: Address | None, *, as_json: bool
) -> list[Result]:
    """Print what is found while it is found; as JSON, in the end. Return all of it."""
    client = Client(target)
    prompts, page = Prompts(client), Page()
    results = []
    try:
        async for result in examine(client, prompts, expected, envoy_admin):
            results.append(result)
            if not as_json:
                _say(page.lines(result))
    finally:
        await client.close()
    if as_json:
        wrong = any(result.outcome is Outcome.WRONG for result in results)
        told = {"ok": not wrong, "requests": client.sent, "prompts": prompts.sent}
        probes = [asdict(result) for result in results]
        click.echo(json.dumps({**told, "request_ids": client.mark, "probes": probes}))
    else:
        _say(page.rest())
        sent = f"{client.sent} requests sent, {prompts.sent} of them prompts"
        ids = f"their x-request-id begins with {client.mark}"
        click.echo(f"\n{_counts(results)}; {sent}; {ids}")
    return results


def _say(lines: Iterator[str]) -> None:
    for line in lines:
        click.echo(line)


class Page:
    """Results for a person: what was skipped for the same reason, and what to change, once."""

    def __init__(self) -> None:
        self._skipped: list[Result] = []
        self._told: dict[Fix, str] = {}

    def lines(self, result: Result) -> Iterator[str]:
        """Yield what is to be printed now that there is one more result."""
        if self._skipped and (result.outcome, result.seen) != (
            Outcome.SKIPPED,
            self._skipped[0].seen,
        ):
            yield from self.rest()
        if result.outcome is Outcome.SKIPPED:
            self._skipped.append(result)
            return
        yield _line(result.outcome, result.name, result.seen)
        if result.fix is not None:
            yield from self._fix(result.name, result.fix)

    def rest(self) -> Iterator[str]:
        """Yield what was held back."""
        if self._skipped:
            names = ", ".join(result.name for result in self._skipped)
            yield _wrapped(f"{Outcome.SKIPPED:<7}  {names}: {self._skipped[0].seen}")
        self._skipped = []

    def _fix(self, name: str, fix: Fix) -> Iterator[str]:
        first = self._told.setdefault(fix, name)
        if first != name:
            yield f"{_INDENT}See {first} above."
            return
        yield _wrapped(_INDENT + fix.means)
        for gateway, text in (
            ("Envoy", fix.envoy),
            ("Envoy Gateway", fix.envoy_gateway),
            ("Istio", fix.istio),
        ):
            if text:
                yield _wrapped(f"{_INDENT}{gateway}: {text}")


def _line(outcome: Outcome, name: str, seen: str) -> str:
    styled = click.style(f"{outcome:<7}", fg=_COLORS.get(outcome))
    return f"{styled}  {name:<{_NAME}}  {seen}"


def _wrapped(text: str) -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        subsequent_indent=_INDENT + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _counts(results: Sequence[Result]) -> str:
    counts = {outcome: sum(each.outcome is outcome for each in results) for outcome in Outcome}
    return ", ".join(f"{number} {outcome}" for outcome, number in counts.items() if number)


def _origin(url: str) -> Origin:
    try:
        return parse_origin(parse_url(url))
    except ValueError as error:
        raise Failure(f"--gateway: {error}", USAGE) from error


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise Failure("--header: must be 'name: value'", USAGE)
    try:
        return parse_header_name(name.strip()), parse_header_value(value.strip())
    except ValueError as error:
        # Neither is quoted: a key may stand in both.
        raise Failure(f"--header: {error}", USAGE) from error


def _expected(options: Options) -> Expected:
    if options.file is None:
        if options.listener is not None:
            raise Failure("--listener names one of the file's: give -c FILE too", USAGE)
        return Expected()
    config = read(options.file).config
    name = pick_listener([each.name for each in config.listeners], options.listener)
    return from_config(config, next(each for each in config.listeners if each.name == name))


def _tls(options: Options) -> Tls:
    tls = Tls(options.ca_file, options.certificate)
    try:
        tls.context()
    except (OSError, ssl.SSLError) as error:
        raise Failure("--cacert, --cert: not a PEM file that can be used", USAGE) from error
    return tls


def _envoy_admin(address: str | None) -> Address | None:
    if address is None:
        return None
    try:
        return parse(address.removeprefix("http://").rstrip("/"))
    except ValueError as error:
        raise Failure(f"--envoy-admin {address}: {error}", USAGE) from error
