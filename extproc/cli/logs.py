"""`outerloop logs`: the access log for a person, a request a line."""

from __future__ import annotations

import signal
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from io import BufferedReader
from pathlib import Path
from typing import Final

import click

from extproc.cli.failures import FAULTS, USAGE, Failure
from extproc.cli.files import read
from extproc.cli.watching import requests
from extproc.cli.watching.lines import Layout
from extproc.cli.watching.output import in_colour, write
from extproc.cli.watching.tail import BLOCK, LONGEST, Line, Splitter, Tail, start_of_last
from extproc.cli.watching.values import printable

_PAUSE: Final = 0.2
"""Seconds between two looks at files that are followed: as often as Envoy writes."""
_SHOWN_FIRST: Final = 20
"""Lines of a file that is followed."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command was given. `last` None: 20 of a file that is followed, or else all."""

    files: tuple[Path, ...]
    config: Path | None
    follow: bool
    last: int | None
    errors: bool
    agent: str | None
    request_id: str | None


def logs(options: Options) -> None:
    """Print the log until its end, or with `follow` until Ctrl-C. Raises `Failure`."""
    printer = _Printer(options)
    files = _files(options)
    try:
        if not files:
            _print_input(printer, options)
        elif options.follow:
            _follow(printer, files, _SHOWN_FIRST if options.last is None else options.last)
        else:
            for path in files:
                _print_file(printer, path, options.last)
    except KeyboardInterrupt:
        return


class _Printer:
    """Writes what is wanted of lines. What is no request goes through, but harmless."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._layout = Layout(colour=in_colour(), today=datetime.now().astimezone().date())

    def print(self, lines: Iterable[Line]) -> None:
        """Write lines at once; of what is too long, say so on standard error."""
        write(self.written(lines))

    def written(self, lines: Iterable[Line]) -> Iterator[str]:
        """Yield what to write."""
        shown: list[requests.Request | str] = []
        for line in lines:
            if line is None:
                note = f"outerloop: passed over a line of more than {LONGEST // 2**20} MiB"
                click.echo(note, err=True)
            elif (request := requests.parse(line)) is None:
                shown.append("\t".join(map(printable, line.split("\t"))))
            elif self._wants(request):
                shown.append(request)
        return self._layout.lines(shown)

    def wants(self, line: str) -> bool:
        """True where something is written for `line`."""
        request = requests.parse(line)
        return request is None or self._wants(request)

    def _wants(self, request: requests.Request) -> bool:
        options = self._options
        return (
            (not options.errors or requests.failed(request))
            and (options.agent is None or options.agent in requests.agents(request))
            and (options.request_id is None or options.request_id == request["request_id"])
        )


def _files(options: Options) -> tuple[Path, ...]:
    """Return the files to read; none for standard input."""
    if options.config is None:
        if not options.files and sys.stdin.isatty():
            raise Failure(
                "give -c FILE or a log, or pipe one: outerloop up ... | outerloop logs", USAGE
            )
        return options.files
    if options.files:
        raise Failure("give either -c FILE or logs", USAGE)
    destination = read(options.config).config.observability.access_log
    if destination is None:
        raise Failure(f"{options.config} wants no log: observability.access_log is null", USAGE)
    if destination == "stdout":
        pipe = f"outerloop up -c {options.config} | outerloop logs"
        raise Failure(f"{options.config} logs to standard output, so pipe it: {pipe}", USAGE)
    return (Path(destination),)


def _print_input(printer: _Printer, options: Options) -> None:
    # Ctrl-C is for the writer, whose last lines are wanted; a second one is for us.
    signal.signal(
        signal.SIGINT, lambda *_: signal.signal(signal.SIGINT, signal.default_int_handler)
    )
    last = None if options.follow else options.last
    with open(sys.stdin.fileno(), "rb", closefd=False) as stream:
        _print_stream(printer, stream, last)


def _print_file(printer: _Printer, path: Path, last: int | None) -> None:
    try:
        with path.open("rb") as file:
            if last is not None and file.seekable():
                file.seek(start_of_last(file, last, printer.wants))
                last = None
            _print_stream(printer, file, last)
    except OSError as error:
        raise _unreadable(path, error) from error


def _print_stream(printer: _Printer, stream: BufferedReader, last: int | None) -> None:
    """Print a stream as it comes; with `last`, that many lines when it has ended."""
    blocks = _blocks(stream)
    if last is None:
        for lines in blocks:
            printer.print(lines)
        return
    wanted = (line for lines in blocks for line in lines if line is None or printer.wants(line))
    printer.print(deque(wanted, maxlen=last))


def _blocks(stream: BufferedReader) -> Iterator[list[Line]]:
    splitter = Splitter()
    # Whatever is there: a pipe's next block may be long in coming.
    while block := stream.read1(BLOCK):
        yield splitter.feed(block)
    yield splitter.rest()


def _follow(printer: _Printer, paths: Iterable[Path], last: int) -> None:
    with ExitStack() as opened:
        tails = [(path, _tail(printer, path, last)) for path in paths]
        for _, tail in tails:
            opened.callback(tail.close)
        while True:
            for path, tail in tails:
                try:
                    for lines in tail.new():
                        printer.print(lines)
                except OSError as error:
                    raise _unreadable(path, error) from error
            time.sleep(_PAUSE)


def _tail(printer: _Printer, path: Path, last: int) -> Tail:
    try:
        file = path.open("rb")
        file.seek(start_of_last(file, last, printer.wants))
    except FileNotFoundError:
        click.echo(f"outerloop: waiting for {path}", err=True)
        return Tail(path, None)
    except OSError as error:
        raise _unreadable(path, error) from error
    return Tail(path, file)


def _unreadable(path: Path, error: OSError) -> Failure:
    return Failure(f"{path}: {error.strerror or error}", FAULTS)
