"""The commands that look at what runs: options here, work in the modules beside it."""

from __future__ import annotations

from pathlib import Path

import click

from extproc.cli import options


@click.command()
@options.running
@options.asked
@click.option("--agent", metavar="ID", help="Of this agent alone.")
@click.option("--all", "everything", is_flag=True, help="Agents without variants too.")
@options.as_json
@options.debug
def variants(
    file: Path | None, admin: str | None, agent: str | None, *, everything: bool, as_json: bool
) -> None:
    """Show how the variants of a running stack's agents fare, and whether they differ."""
    from extproc.cli import variants as work

    work.variants(work.Options(file, admin, agent, everything, as_json))


@click.command()
@options.running
@options.asked
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
@options.debug
def top(
    file: Path | None, admin: str | None, interval: float, *, once: bool, as_json: bool
) -> None:
    """Watch a running stack: agents, filters and the last decisions."""
    from extproc.cli import top as work

    work.top(work.Options(file, admin, interval, once, as_json))


@click.command()
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
@options.debug
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


@click.command()
@click.option("--gateway", metavar="URL", required=True, help="Where clients connect.")
@options.running
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
@click.option(
    "--cacert", "ca_file", type=options.INPUT, help="PEM to check the gateway's certificate by."
)
@click.option(
    "--cert", "certificate", type=options.INPUT, help="PEM of our own certificate and its key."
)
@click.option(
    "--envoy-admin", metavar="ADDR", help="host:port or unix:path: read Envoy's settings too."
)
@options.as_json
@options.debug
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
