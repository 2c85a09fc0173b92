"""The `outerloop` command: options here, work in the modules beside it, imported when called."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

import click

from extproc.cli import failures, looking, options

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def main() -> None:
    """Run the command line and exit with its code."""
    debug = "--debug" in sys.argv
    sys.exit(failures.run(lambda: cli(standalone_mode=False), debug=debug))


@click.group(cls=failures.Commands, context_settings=_CONTEXT)
@click.version_option(version("outerloop-extproc"), prog_name="outerloop")
@options.debug
def cli() -> None:
    """The outer loop for AI agents, as an Envoy external-processing filter."""


@cli.command()
@options.file
@options.admin
@options.workers
@options.drain_time
@options.log_level
@options.debug
def up(file: Path, admin: str | None, workers: int, drain_time: float, log_level: str) -> None:
    """Run Envoy and the processor in the foreground."""
    from extproc.cli import run

    run.up(run.Options(file, admin, workers, drain_time, log_level))


@cli.command()
@options.file
@click.option(
    "--bind",
    metavar="ADDR",
    default="127.0.0.1:9001",
    show_default=True,
    help="host:port or unix:path; further workers get the ports after it.",
)
@options.admin
@options.workers
@options.drain_time
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
@options.log_level
@options.debug
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
@options.file
@options.as_json
@options.debug
def check(file: Path, *, as_json: bool) -> None:
    """Validate the file and report all faults."""
    from extproc.cli.check import check as work

    work(file, as_json_object=as_json)


@cli.command()
@options.file
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
@options.debug
def render(file: Path, target: str, directory: Path | None) -> None:
    """Print Envoy configuration or Kubernetes manifests."""
    from extproc.cli.render import render as work

    work(file, target=target, directory=directory)


@cli.command()
@options.file
@click.option("--listener", metavar="NAME", help="Default: the only one.")
@options.as_json
@click.option(
    "--messages",
    type=options.INPUT,
    help="JSON file: a list of messages, or a whole request.",
)
@click.argument("text", required=False)
@options.debug
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
    "--agents",
    type=options.INPUT,
    help="Instead of a listener's: JSON or YAML, agents by agents_set.",
)
@options.as_json
@click.option(
    "--predictions",
    metavar="OUT.jsonl",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write what was decided, a case a line.",
)
@click.argument("cases", metavar="CASES.jsonl", type=options.INPUT)
@options.debug
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
@click.option("--run", "keep", is_flag=True, help="Leave the stack running.")
@options.debug
def demo(*, keep: bool) -> None:
    """Run the travel example: agents, Envoy, processor and a scripted conversation."""
    from extproc.cli.demo import demo as work

    work(keep=keep)


for _command in (looking.variants, looking.top, looking.logs, looking.doctor):
    cli.add_command(_command)
