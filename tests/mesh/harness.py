"""A gateway that somebody else's control plane drives with our manifests, and `serve` beside it.

A control plane plugs in as a class like `ControlPlane`, and a row in `planes.py`. The tests of this
folder then run on it: they know a `Gateway`, which has the URLs of a configuration's listeners, and
gets another configuration by `apply`.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import httpx
import yaml

from tests.e2e.conftest import OUTERLOOP, Process

DEADLINE = 90.0
"""Seconds: Envoy waits 15 for hosts of a cluster that a control plane sends anew."""

Manifest = Mapping[str, Any]


class ControlPlane(Protocol):
    """A control plane with an Envoy of its own, on this machine, without a cluster.

    `target` is what `outerloop render` calls it; `deploy` are keys that the configuration needs
    for it, beside the processor's address.
    """

    target: str
    deploy: Mapping[str, Any]

    def missing(self) -> str | None:
        """Say why it cannot run here, None where it can."""
        ...

    def start(self, folder: Path) -> None:
        """Start it with an empty configuration; what it writes goes into `folder`."""
        ...

    def apply(self, manifests: Iterable[Manifest]) -> None:
        """Hand over all manifests in place of those before; may return before they are in force."""
        ...

    def envoy(self, path: str) -> str:
        """Return what Envoy's admin says there; "" while there is none."""
        ...

    def stop(self) -> None:
        """End every process that it has started."""
        ...

    @property
    def output(self) -> str:
        """What its processes have said, for a person to read."""
        ...


def eventually(condition: Callable[[], bool], what: str, said: Callable[[], str] = str) -> None:
    """Wait for a condition. Raises AssertionError with `what`, and what a process has `said`."""
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, f"not in {DEADLINE:g} s: {what}\n{said()}"
        time.sleep(0.1)


class Gateway:
    """One configuration at a time, through a control plane, on ports of its own.

    Listeners say `port: 0`, and have the same port for as long as the gateway lives.
    """

    def __init__(self, plane: ControlPlane, folder: Path, ports: Iterable[int]) -> None:
        self.plane = plane
        self.file = folder / "outerloop.yaml"
        self.listeners: dict[str, str] = {}
        self.process: Process | None = None
        self._processor, *self._ports = ports

    @property
    def url(self) -> str:
        """Of the only (or first) listener."""
        return next(iter(self.listeners.values()))

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def configure(self, text: str) -> None:
        """Write the file, which a running processor reads again."""
        new = self.file.with_suffix(".new")
        new.write_text(self._placed(text))
        new.replace(self.file)

    def _placed(self, text: str) -> str:
        """Return a configuration with this gateway's ports and addresses."""
        document = yaml.safe_load(text)
        for listener, port in zip(document["listeners"], self._ports, strict=False):
            listener["port"] = port
            self.listeners[listener["name"]] = f"http://127.0.0.1:{port}"
        deploy = document.get("deploy", {})
        processor = {**deploy.get("processor", {}), "addresses": [f"127.0.0.1:{self._processor}"]}
        document["deploy"] = {**deploy, **self.plane.deploy, "processor": processor}
        return yaml.safe_dump(document)

    def render(self, text: str, environ: Mapping[str, str] | None = None) -> list[Manifest]:
        """Return the manifests of a configuration."""
        file = self.file.with_name("rendered.yaml")
        file.write_text(self._placed(text))
        done = subprocess.run(
            [*OUTERLOOP, "render", "-c", str(file), "--target", self.plane.target],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **(environ or {})},
        )
        assert done.returncode == 0, done.stderr
        return list(yaml.safe_load_all(done.stdout))

    def apply(self, text: str, environ: Mapping[str, str] | None = None) -> None:
        """Have the gateway run a configuration; the processor is not told."""
        self.plane.apply(self.render(text, environ))

    def serve(self, *options: str, environ: dict[str, str] | None = None) -> None:
        """Start the processor with the file, in place of one that runs."""
        self.stop_serving()
        bind = f"127.0.0.1:{self._processor}"
        self.process = Process(
            *(*OUTERLOOP, "serve", "-c", str(self.file), "--bind", bind),
            *("--admin", "127.0.0.1:0", *options),
            env=environ,
        )
        self.process.wait_line(lambda line: line.startswith("admin "))

    @property
    def generation(self) -> int:
        """How many configurations the processor has had."""
        assert self.process is not None
        admin = self.process.wait_line(lambda line: line.startswith("admin ")).split()[-1]
        return int(httpx.get(f"{admin}/config").json()["generation"])

    def reload(self, text: str) -> None:
        """Have the processor run a configuration, and wait until it does."""
        before = self.generation
        self.configure(text)
        self.eventually(lambda: self.generation > before, "a reload")

    def stop_serving(self) -> None:
        if self.process is not None:
            self.process.stop()
        self.process = None

    def run(self, text: str, environ: dict[str, str] | None = None) -> None:
        """Have both run a configuration and nothing else; wait until each of its agents answers."""
        self.clear()
        self.configure(text)
        self.apply(text, environ)
        self.serve(environ=environ)
        self.wait_for(text)

    def clear(self) -> None:
        """Forget the configuration of before: nothing of it is left."""
        self.stop_serving()
        if self.listeners:
            self.plane.apply(())
        self.listeners.clear()

    def wait_for(self, text: str) -> None:
        """Wait until all agents of a configuration can be asked, through all its listeners."""
        for listener in yaml.safe_load(text)["listeners"]:
            for agent in listener["agents"]:
                self.wait_for_agent(agent["id"], listener["name"])

    def wait_for_agent(self, agent: str, listener: str | None = None) -> None:
        """Wait until an agent can be asked, through the first listener unless one is named."""
        url = self.url if listener is None else self.listeners[listener]
        self.eventually(lambda: self._answers(url, agent), f"an answer of {agent}")

    def _answers(self, url: str, agent: str) -> bool:
        body = {"model": agent, "messages": [{"role": "user", "content": "hello"}]}
        with suppress(httpx.TransportError, json.JSONDecodeError):
            answer = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=10)
            return answer.status_code == httpx.codes.OK
        return False

    def eventually(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition; what the processes say is in the error."""
        eventually(condition, what, lambda: self.output)

    def stop(self) -> None:
        try:
            self.stop_serving()
        finally:
            self.plane.stop()

    @property
    def output(self) -> str:
        processor = self.process.output if self.process is not None else ""
        return f"{self.plane.output}\n--- processor\n{processor}"
