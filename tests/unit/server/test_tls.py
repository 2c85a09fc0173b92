from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc

from extproc.certificates import ServerTls
from extproc.pipeline import Pipeline
from extproc.server import tls as module
from extproc.server.lifecycle import Server
from extproc.server.tls import Files, OnlyNamed, credentials
from tests.certificates import issue, replace

PROCESS = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"
SPIFFE = "spiffe://test/envoy"
STAYS = "TLS: what was read before stays in use"


class Place:
    """The files of a server's TLS."""

    def __init__(self, folder: Path) -> None:
        self.servers, self.clients = trustme.CA(), trustme.CA()
        self.certificate, self.key, self.ca = (
            folder / each for each in ("tls.crt", "tls.key", "ca.crt")
        )
        self.tls = ServerTls(str(self.certificate), str(self.key))
        self.mutual = ServerTls(str(self.certificate), str(self.key), str(self.ca))
        self.renew()
        replace(self.ca, self.clients.cert_pem.bytes())

    def renew(self) -> None:
        issued = issue(self.servers, "localhost")
        replace(self.key, issued.key)
        replace(self.certificate, issued.chain)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]


class TestFiles:
    def test_what_did_not_change_is_not_read_again(self, place: Place) -> None:
        files = Files(place.tls)
        assert files.newer() is None
        place.renew()
        assert files.newer() is not None
        assert files.newer() is None

    @pytest.mark.parametrize("name", ["certificate", "key", "ca"])
    def test_each_file_counts(self, place: Place, name: str) -> None:
        files = Files(place.mutual)
        path: Path = getattr(place, name)
        replace(path, path.read_bytes())
        assert files.newer() is not None

    def test_a_file_written_in_place_counts(self, place: Place) -> None:
        files = Files(place.mutual)
        place.ca.write_bytes(place.ca.read_bytes() + place.servers.cert_pem.bytes())
        assert files.newer() is not None

    def test_a_folder_that_is_linked_anew_counts(self, tmp_path: Path) -> None:
        """As Kubernetes does it."""
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            Place(tmp_path / name)
        data = tmp_path / "..data"
        data.symlink_to("one")
        files = Files(ServerTls(str(data / "tls.crt"), str(data / "tls.key")))
        assert files.newer() is None
        (tmp_path / "new").symlink_to("two")
        (tmp_path / "new").rename(data)
        assert files.newer() is not None
        assert files.newer() is None

    def test_a_faulty_pair_is_told_once_and_not_taken(
        self, place: Place, caplog: pytest.LogCaptureFixture
    ) -> None:
        files = Files(place.tls)
        whole = place.key.read_bytes()
        place.key.write_bytes(whole[: len(whole) // 2])
        assert [files.newer() for _ in range(3)] == [None] * 3
        [told] = complaints(caplog)
        assert told.startswith(f"{STAYS}: {place.certificate} and {place.key} are no pair")
        assert "PRIVATE" not in told
        place.key.write_bytes(whole)
        assert files.newer() is not None
        assert files.newer() is None

    def test_another_fault_is_told_too_and_the_same_one_later(
        self, place: Place, caplog: pytest.LogCaptureFixture
    ) -> None:
        files = Files(place.mutual)
        whole = place.ca.read_bytes()
        for content in (b"", None, whole, b""):
            replace(place.ca, content) if content is not None else place.ca.unlink()
            files.newer()
        told = [each.removeprefix(STAYS) for each in complaints(caplog)]
        assert told == [
            f": {place.ca} has no certificates (PEM)",
            f": {place.ca}: No such file or directory",
            f": {place.ca} has no certificates (PEM)",
        ]

    def test_what_changes_while_it_is_read_is_left_for_the_next_time(
        self, place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        files = Files(place.tls)
        read = module._configuration

        def reading(tls: ServerTls) -> object:
            monkeypatch.undo()
            found = read(tls)
            place.renew()
            return found

        place.renew()
        monkeypatch.setattr(module, "_configuration", reading)
        assert files.newer() is None
        assert files.newer() is not None
        assert complaints(caplog) == []

    @pytest.mark.parametrize("name", ["certificate", "key", "ca"])
    def test_a_server_does_not_start_without(self, place: Place, name: str) -> None:
        path: Path = getattr(place, name)
        path.unlink()
        with pytest.raises(ValueError, match=f"{path.name}: No such file"):
            credentials(place.mutual)


def shown_to(port: int) -> str:
    return ssl.get_server_certificate(("127.0.0.1", port), timeout=30)


async def test_new_clients_are_shown_what_the_files_hold(
    place: Place, make_pipeline: Callable[..., Pipeline], recorder: Any
) -> None:
    server = Server(make_pipeline(), recorder)
    port = await server.start("127.0.0.1:0", place.tls)
    for _ in range(3):
        assert await asyncio.to_thread(shown_to, port) == place.certificate.read_text()
        place.renew()
    used = await asyncio.to_thread(shown_to, port)
    place.key.write_text("half")
    assert await asyncio.to_thread(shown_to, port) == used
    await server.drain(0, 0)


Connect = Callable[..., Any]


@pytest.fixture
async def connect(
    place: Place, make_pipeline: Callable[..., Pipeline], recorder: Any
) -> AsyncIterator[Connect]:
    """Start a server for the names given; return channels of clients with certificates."""
    servers: list[Server] = []

    @asynccontextmanager
    async def open_channel(wanted: str, *names: str) -> AsyncIterator[Any]:
        server = Server(make_pipeline(), recorder)
        servers.append(server)
        tls = ServerTls(place.tls.certificate, place.tls.key, str(place.ca), (SPIFFE, wanted))
        port = await server.start("127.0.0.1:0", tls)
        client = issue(place.clients, *names)
        roots = place.servers.cert_pem.bytes()
        shown = grpc.ssl_channel_credentials(roots, client.key, client.chain)
        async with grpc.aio.secure_channel(f"localhost:{port}", shown) as channel:
            yield channel

    yield open_channel
    for server in servers:
        await server.drain(0, 0)


async def check(channel: Any) -> Any:
    stub = health_pb2_grpc.HealthStub(channel)
    return await stub.Check(health_pb2.HealthCheckRequest(), timeout=30)


async def watch(channel: Any) -> Any:
    stub = health_pb2_grpc.HealthStub(channel)
    return await stub.Watch(health_pb2.HealthCheckRequest(), timeout=30).read()


async def process(channel: Any) -> Any:
    # Nothing is sent: the answer does not wait for it.
    return await channel.stream_stream(PROCESS)(timeout=30).read()


@pytest.mark.parametrize("ask", [check, watch, process])
async def test_callers_of_other_names_are_refused(
    ask: Callable[[Any], Awaitable[Any]], connect: Connect
) -> None:
    async with connect("envoy.test", "other.test", "spiffe://test/envoys", "10.0.0.1") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await ask(channel)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("names", [("envoy.test",), (SPIFFE,), ("other.test", SPIFFE)])
async def test_one_of_the_names_is_enough(names: tuple[str, ...], connect: Connect) -> None:
    async with connect("envoy.test", *names) as channel:
        assert (await check(channel)).status == health_pb2.HealthCheckResponse.SERVING
        assert (await watch(channel)).status == health_pb2.HealthCheckResponse.SERVING


async def test_an_address_is_no_name(connect: Connect) -> None:
    async with connect("10.0.0.1", "10.0.0.1") as channel:
        with pytest.raises(grpc.aio.AioRpcError, match="PERMISSION_DENIED"):
            await check(channel)


async def test_a_refused_caller_is_told_once(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    async with connect("envoy.test", "other.test", "spiffe://x/a\nb") as channel:
        for _ in range(3):
            with pytest.raises(grpc.aio.AioRpcError):
                await check(channel)
    [told] = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert told == "TLS: a client is refused: its names are ['other.test', 'spiffe://x/a\\nb']"


def test_not_too_many_refused_callers_are_told(caplog: pytest.LogCaptureFixture) -> None:
    only = OnlyNamed(["a"])
    for number in range(2 * module._MOST_TOLD):
        only._tell(frozenset([b"x" * number]))
    assert len(caplog.records) == module._MOST_TOLD
    assert max(len(each.getMessage()) for each in caplog.records) < 2 * module._LONGEST_TOLD


async def test_a_method_that_is_not_there(connect: Connect) -> None:
    async with connect("envoy.test", "envoy.test") as channel:
        with pytest.raises(grpc.aio.AioRpcError, match="UNIMPLEMENTED"):
            await channel.unary_unary("/none/Such")(b"", timeout=30)
