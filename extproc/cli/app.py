"""The `outerloop` command: options here, work in the modules beside it, imported when called."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from extproc.cli import failures
from extproc.logs import LEVELS

_INPUT = click.Path(exists=True, dir_okay=False, path_type=Path)
_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def main() -> None:
    """Run the command line and exit with its code."""
    debug = "--debug" in sys.argv
    sys.exit(failures.run(lambda: cli(standalone_mode=False), debug=debug))


def _file(command: Callable[..., Any]) -> Callable[..., Any]:
    option = click.option(
        "-c", "--config", "file", type=click.Path(path_type=Path), required=True, help="The YAML."
    )
    return option(command)


def _debug(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--debug", is_flag=True, expose_value=False, help="Show tracebacks of internal errors."
    )(command)


def _log_level(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--log-level", type=click.Choice(LEVELS), default="info", show_default=True
    )(command)


_admin = click.option("--admin", metavar="ADDR", help="host:port of the admin; port 0: any free.")
_workers = click.option(
    "--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes."
)
_drain_time = click.option(
    "--drain-time",
    type=click.FloatRange(0, 3600),
    default=30.0,
    show_default=True,
    help="Seconds running requests get to finish.",
)


@click.group(cls=failures.Commands, context_settings=_CONTEXT)
@click.version_option(version("outerloop-extproc"), prog_name="outerloop")
@_debug
def cli() -> None:
    """The outer loop for AI agents, as an Envoy external-processing filter."""


@cli.command()
@_file
@_admin
@_workers
@_drain_time
@_log_level
@_debug
def up(file: Path, admin: str | None, workers: int, drain_time: float, log_level: str) -> None:
    """Run Envoy and the processor in the foreground."""
    from extproc.cli import run

    run.up(run.Options(file, admin, workers, drain_time, log_level))


@cli.command()
@_file
@click.option(
    "--bind",
    metavar="ADDR",
    default="127.0.0.1:9001",
    show_default=True,
    help="host:port or unix:path; further workers get the ports after it.",
)
@_admin
@_workers
@_drain_time
@click.option("--tls-certificate", metavar="FILE", help="Speak TLS: the chain to show, PEM.")
@click.option("--tls-key", metavar="FILE", help="Its key. Files are read again when they change.")
@click.option("--tls-client-ca", metavar="FILE", help="Clients must show a certificate of this CA.")
@click.option(
    "--tls-client-san",
    "tls_client_sans",
    metavar="NAME",
    multiple=True,
    help="DNS name or URI that such a certificate must have; several: one of them.",
)
@_log_level
@_debug
def serve(
    file: Path,
    bind: str,
    admin: str | None,
    workers: int,
    drain_time: float,
    tls_certificate: str | None,
    tls_key: str | None,
    tls_client_ca: str | None,
    tls_client_sans: tuple[str, ...],
    log_level: str,
) -> None:
    """Run the processor alone, beside an Envoy that exists."""
    from extproc.cli import run
    from extproc.cli.server_tls import server_tls

    tls = server_tls(tls_certificate, tls_key, tls_client_ca, tls_client_sans, bind=bind)
    run.serve(run.Options(file, admin, workers, drain_time, log_level), bind, tls)


@cli.command()
@_file
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@_debug
def check(file: Path, *, as_json: bool) -> None:
    """Validate the file and report all faults."""
    from extproc.cli.check import check as work

    work(file, as_json_object=as_json)


@cli.command()
@_file
@click.option(
    "--target",
    type=click.Choice(
        ["bootstrap", "xds", "envoy-snippet", "envoy-gateway", "istio", "kubernetes"]
    ),
    required=True,
    help="What to render.",
)
@click.option(
    "-o", "--output", "directory", type=click.Path(path_type=Path), help="Write files into DIR."
)
@_debug
def render(file: Path, target: str, directory: Path | None) -> None:
    """Print Envoy configuration or Kubernetes manifests."""
    from extproc.cli.render import render as work

    work(file, target=target, directory=directory)


@cli.command()
@_file
@click.option("--listener", metavar="NAME", help="Default: the only one.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.option(
    "--messages",
    type=_INPUT,
    help="JSON file: a list of messages, or a whole request.",
)
@click.argument("text", required=False)
@_debug
def route(
    file: Path, listener: str | None, messages: Path | None, text: str | None, *, as_json: bool
) -> None:
    """Decide one conversation without starting anything."""
    from extproc.cli.route import route as work

    work(file, listener=listener, messages=messages, text=text, as_json=as_json)


@cli.command("eval")
@click.option(
    "-c",
    "--config",
    "file",
    type=click.Path(path_type=Path),
    help="The YAML: strategy and agents. Without it: the default strategy.",
)
@click.option("--listener", metavar="NAME", help="Whose agents. Default: the only one's.")
@click.option(
    "--agents", type=_INPUT, help="Instead of a listener's: JSON or YAML, agents by agents_set."
)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.option(
    "--predictions",
    metavar="OUT.jsonl",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write what was decided, a case a line.",
)
@click.argument("cases", metavar="CASES.jsonl", type=_INPUT)
@_debug
def evaluate(
    file: Path | None,
    listener: str | None,
    agents: Path | None,
    predictions: Path | None,
    cases: Path,
    *,
    as_json: bool,
) -> None:
    """Decide labelled conversations and measure how well."""
    from extproc.cli import evaluate as work

    work.evaluate(work.Options(cases, file, listener, agents, predictions, as_json))


@cli.command()
@click.option("-c", "--config", "file", type=click.Path(path_type=Path), help="The YAML that runs.")
@click.option("--admin", metavar="HOST:PORT", help="Of the admin. Default: the file's.")
@click.option("--agent", metavar="ID", help="Of this agent alone.")
@click.option("--all", "everything", is_flag=True, help="Agents without variants too.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@_debug
def variants(
    file: Path | None, admin: str | None, agent: str | None, *, everything: bool, as_json: bool
) -> None:
    """Show how the variants of a running stack's agents fare, and whether they differ."""
    from extproc.cli import variants as work

    work.variants(work.Options(file, admin, agent, everything, as_json))


@cli.command()
@click.option("-c", "--config", "file", type=click.Path(path_type=Path), help="The YAML that runs.")
@click.option("--admin", metavar="HOST:PORT", help="Of the admin. Default: the file's.")
@click.option(
    "--interval",
    metavar="S",
    type=click.FloatRange(0.1, 3600),
    default=2.0,
    show_default=True,
    help="Seconds between two looks.",
)
@click.option("--once", is_flag=True, help="Print one look and end, as where no terminal is.")
@click.option("--json", "as_json", is_flag=True, help="One look, for machines.")
@_debug
def top(
    file: Path | None, admin: str | None, interval: float, *, once: bool, as_json: bool
) -> None:
    """Watch a running stack: agents, filters and the last decisions."""
    from extproc.cli import top as work

    work.top(work.Options(file, admin, interval, once, as_json))


@cli.command()
@click.option(
    "-c",
    "--config",
    "config",
    type=click.Path(path_type=Path),
    help="The YAML: the log is where its observability.access_log says.",
)
@click.option("-f", "--follow", is_flag=True, help="Go on as the log grows.")
@click.option(
    "-n",
    "--lines",
    "last",
    metavar="N",
    type=click.IntRange(0, 1_000_000),
    help="The last N lines. Default: 20 with --follow, or else all.",
)
@click.option("--errors", is_flag=True, help="What failed alone.")
@click.option("--agent", metavar="ID", help="Requests whose plan has this agent.")
@click.option("--request-id", metavar="ID", help="This request alone.")
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path))
@_debug
def logs(
    files: tuple[Path, ...],
    config: Path | None,
    last: int | None,
    agent: str | None,
    request_id: str | None,
    *,
    follow: bool,
    errors: bool,
) -> None:
    """Show the access log for reading: a file, the configuration's, or standard input."""
    from extproc.cli import logs as work

    work.logs(work.Options(files, config, follow, last, errors, agent, request_id))


@cli.command()
@click.option("--gateway", metavar="URL", required=True, help="Where clients connect.")
@click.option("-c", "--config", "file", type=click.Path(path_type=Path), help="The YAML that runs.")
@click.option("--listener", metavar="NAME", help="Which of the YAML's. Default: the only one.")
@click.option(
    "--header",
    "headers",
    metavar="'NAME: VALUE'",
    multiple=True,
    help="Sent with every request: authorization, or host. Repeatable.",
)
@click.option(
    "--timeout",
    metavar="S",
    type=click.FloatRange(0.1, 3600),
    default=60.0,
    show_default=True,
    help="Seconds for each request.",
)
@click.option("--cacert", "ca_file", type=_INPUT, help="PEM to check the gateway's certificate by.")
@click.option("--cert", "certificate", type=_INPUT, help="PEM of our own certificate and its key.")
@click.option(
    "--envoy-admin", metavar="ADDR", help="host:port or unix:path: read Envoy's settings too."
)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@_debug
def doctor(
    gateway: str,
    file: Path | None,
    listener: str | None,
    headers: tuple[str, ...],
    timeout: float,
    ca_file: Path | None,
    certificate: Path | None,
    envoy_admin: str | None,
    *,
    as_json: bool,
) -> None:
    """Probe a running gateway and say what is wrong in its attachment.

    Sends some 25 requests, one after another. Most are refused before an agent sees them. Up to 8
    are prompts of a few words that agents answer, which may cost something (max_tokens 1, or 64
    for streams). Two to four are large, up to limits.max_request_bytes, but never over 64 MiB; no
    agent sees those. The x-request-id of all begins with outerloop-doctor-.
    """
    from extproc.cli import doctor as work

    work.doctor(
        work.Options(
            gateway,
            file,
            listener,
            headers,
            timeout,
            ca_file,
            certificate,
            envoy_admin,
            as_json,
        )
    )


@cli.command()
@click.option("--run", "keep", is_flag=True, help="Leave the stack running.")
@_debug
def demo(*, keep: bool) -> None:
    """Run the travel example: agents, Envoy, processor and a scripted conversation."""
    from extproc.cli.demo import demo as work

    work(keep=keep)
