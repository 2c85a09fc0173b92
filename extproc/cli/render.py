"""`outerloop render`: Envoy configuration on standard output or in files."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from extproc.address import SocketAddress
from extproc.cli.failures import FAULTS, Failure
from extproc.cli.files import read

_PROCESSOR: Final = (SocketAddress("127.0.0.1", 9001),)
"""Where `outerloop serve` listens by default."""
_ENVOY_ADMIN: Final = SocketAddress("127.0.0.1", 9901)


def render(file: Path, *, target: str, directory: Path | None) -> None:
    """Print or write what `target` needs. Raises `Failure`."""
    from extproc.envoyconf.render.bootstrap import render as render_bootstrap
    from extproc.envoyconf.topology import Places, build

    config = read(file).config
    text = render_bootstrap(build(config, Places(_PROCESSOR, _ENVOY_ADMIN)))
    if directory is None:
        click.echo(text, nl=False)
        return
    path = directory / f"{target}.yaml"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"{error.filename}: {error.strerror}", FAULTS) from error
    click.echo(path)
