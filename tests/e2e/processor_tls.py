"""Certificates of a processor and an Envoy, and the two speaking TLS with them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import trustme
import yaml

from extproc.address import SocketAddress
from extproc.config.load import load
from extproc.envoyconf.build import Places, build
from extproc.envoyconf.files import Folder
from extproc.envoyconf.render.bootstrap import render
from extproc.envoyconf.render.discovery import processor_files
from extproc.envoyconf.upstreams import ProcessorTls
from tests.certificates import Issued, issue
from tests.e2e.gateway import DEADLINE, ENVOY, Gateway

if TYPE_CHECKING:
    from tests.e2e.conftest import Process

CHAT: Final = "/v1/chat/completions"
AGENT: Final = "hotel_agent"
BODY: Final = {"model": AGENT, "messages": [{"role": "user", "content": "hello"}]}
OURS: Final = "processor.test"
ENVOYS: Final = "spiffe://test/ns/edge/sa/envoy"
HTTP: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

Edit = Callable[[dict[str, Any]], None]


class Folded:
    """Certificates in a folder, put there as a person does: each renamed over the one before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def __getitem__(self, name: str) -> str:
        return str(self.folder / name)

    def put(self, **contents: bytes) -> None:
        for name, content in contents.items():
            new = self.folder / f"{name}.new"
            new.write_bytes(content)
            new.rename(self.folder / name)

    def show(self, issued: Issued) -> None:
        self.put(key=issued.key, crt=issued.chain)

    def trust(self, *authorities: trustme.CA) -> None:
        self.put(ca=b"".join(each.cert_pem.bytes() for each in authorities))


class Mounted(Folded):
    """The same, as Kubernetes mounts a Secret: all files behind one link, which is replaced."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._count = 0
        self._contents: dict[str, bytes] = {}

    def put(self, **contents: bytes) -> None:
        self._contents |= contents
        self._count += 1
        version = self.folder / f"..{self._count}"
        version.mkdir()
        for name, content in self._contents.items():
            (version / name).write_bytes(content)
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(f"..data/{name}")
        link = self.folder / "..data_tmp"
        link.symlink_to(version.name)
        link.rename(self.folder / "..data")


class Certificates:
    """What the processor and Envoy show and trust."""

    def __init__(self, folder: Path, kind: type[Folded] = Folded) -> None:
        self.servers, self.clients = trustme.CA(), trustme.CA()
        self.processor, self.envoy = kind(folder / "processor"), kind(folder / "envoy")
        self.processor.trust(self.clients)
        self.processor.show(issue(self.servers, OURS))
        self.envoy.trust(self.servers)
        self.envoy.show(issue(self.clients, ENVOYS))

    def options(self, *, mutual: bool = True) -> list[str]:
        """Return the options of `serve`."""
        ours = self.processor
        known = ("--tls-client-ca", ours["ca"], "--tls-client-san", ENVOYS)
        shown = ("--tls-certificate", ours["crt"], "--tls-key", ours["key"])
        return [*shown, *(known if mutual else ())]

    def towards(self, *, mutual: bool = True, san: str = OURS) -> ProcessorTls:
        """Return how Envoy speaks to the processor."""
        theirs = self.envoy
        if not mutual:
            return ProcessorTls(theirs["ca"], san=san)
        return ProcessorTls(theirs["ca"], theirs["crt"], theirs["key"], san=san)


class TlsGateway(Gateway):
    """An Envoy whose connections to the processor are TLS."""

    def envoy_with(self, tls: ProcessorTls, edit: Edit | None = None) -> Process:
        """Start it; `edit` changes the cluster of the processor."""
        file = self.folder / "rendered.yaml"
        file.write_text(self.yaml.replace("port: 0", f"port: {self.listener}"))
        topology = build(
            load(file, {}).config,
            Places(
                (SocketAddress("127.0.0.1", self.processor),),
                SocketAddress("127.0.0.1", self.admin),
                folder=Folder(str(self.folder), dynamic=False),
                processor_tls=tls,
            ),
        )
        for name, secret in processor_files(topology).items():
            (self.folder / name).write_bytes(secret.content)
        document = yaml.safe_load(render(topology))
        clusters = {each["name"]: each for each in document["static_resources"]["clusters"]}
        if edit is not None:
            edit(clusters["processor"])
        bootstrap = self.folder / "envoy.yaml"
        bootstrap.write_text(yaml.safe_dump(document))
        return self.run(ENVOY, "-c", str(bootstrap), "--disable-hot-restart", "-l", "warn")

    def ask(self) -> httpx.Response:
        return httpx.post(self.url + CHAT, json=BODY, timeout=DEADLINE)

    def count(self, name: str) -> int:
        """Return a counter of the processor's cluster; 0 while Envoy does not answer."""
        with suppress(httpx.TransportError):
            text = self.admin_page(f"/stats?filter=^cluster.processor.{name}$")
            return int(text.rpartition(":")[2] or 0)
        return 0

    def has(self, number: str) -> bool:
        """Tell whether Envoy uses the certificate of this serial number."""
        return f'"{number}"' in self.admin_page("/certs")

    def wait_handshakes(self, count: int) -> None:
        """Wait for so many connections more."""
        before = self.count("ssl.handshake")
        until(lambda: self.count("ssl.handshake") >= before + count)

    def admin_page(self, path: str) -> str:
        """Return what Envoy's admin answers."""
        return httpx.get(f"http://127.0.0.1:{self.admin}{path}").text.strip()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def connecting_often(cluster: dict[str, Any]) -> None:
    """Have Envoy open a connection for a few requests each, so that handshakes never end."""
    options = cluster["typed_extension_protocol_options"][HTTP]
    options["common_http_protocol_options"] = {"max_requests_per_connection": 3}
    for check in cluster["health_checks"]:
        check["reuse_connection"] = False


@contextmanager
def asking(gateway: TlsGateway) -> Iterator[Counter[int]]:
    """Ask all the time; give the count of answers by status, complete at the end."""
    answers: Counter[int] = Counter()
    over = threading.Event()

    def ask() -> None:
        with httpx.Client(timeout=DEADLINE) as client:
            while not over.is_set():
                answers[client.post(gateway.url + CHAT, json=BODY).status_code] += 1

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        over.set()
        for thread in threads:
            thread.join()
