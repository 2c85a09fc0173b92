"""`serve` and, beside it, an Envoy that is not ours."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from tests.e2e.conftest import Process

BIN = Path(sys.executable).parent
OUTERLOOP = str(BIN / "outerloop")
ENVOY = shutil.which("envoy") or str(BIN / "envoy")
DEADLINE = 60.0
Edit = Callable[[str], str]


class Gateway:
    """A plain Envoy with the rendered bootstrap, and `serve`, on ports of their own."""

    def __init__(self, start: type[Process], folder: Path, yaml: str, ports: list[int]) -> None:
        self.start, self.folder, self.yaml = start, folder, yaml
        self.listener, self.processor, self.admin = ports
        self.processes: list[Process] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener}"

    def run(self, *argv: str) -> Process:
        self.processes.append(self.start(*argv))
        return self.processes[-1]

    def envoy(self, edit: Edit = str) -> None:
        file = self.folder / "rendered.yaml"
        file.write_text(self.yaml.replace("port: 0", f"port: {self.listener}"))
        rendered = subprocess.run(
            [OUTERLOOP, "render", "-c", file, "--target", "bootstrap"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        ports = rendered.replace("port_value: 9001", f"port_value: {self.processor}")
        bootstrap = self.folder / "envoy.yaml"
        bootstrap.write_text(edit(ports.replace("port_value: 9901", f"port_value: {self.admin}")))
        self.run(ENVOY, "-c", str(bootstrap), "--disable-hot-restart", "-l", "error")

    def serve(self, yaml: str | None = None, *options: str) -> Process:
        file = self.folder / "outerloop.yaml"
        file.write_text(yaml or self.yaml)
        bind = f"127.0.0.1:{self.processor}"
        process = self.run(
            *(OUTERLOOP, "serve", "-c", str(file), "--bind", bind),
            *("--admin", "127.0.0.1:0", *options),
        )
        process.wait_line(lambda line: line.startswith("admin "))
        return process

    def wait_healthy(self, workers: int) -> None:
        """Wait until Envoy sees that many workers."""
        url = f"http://127.0.0.1:{self.admin}/stats?filter=cluster.processor.membership_healthy"
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            with suppress(httpx.TransportError):
                if httpx.get(url).text.strip().endswith(f": {workers}"):
                    return
            time.sleep(0.1)
        raise AssertionError(f"not {workers} healthy workers")
