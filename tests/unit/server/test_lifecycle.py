from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec
from grpc_health.v1 import health_pb2, health_pb2_grpc

from extproc import heap
from extproc._pb import outerloop_ext_proc_pb2 as pb
from extproc.certificates import ServerTls
from extproc.config.model.types import LARGEST_SIZE
from extproc.names import PROCESSOR_SERVICE
from extproc.pipeline import Pipeline
from extproc.server.lifecycle import _OPTIONS, Server
from extproc.stream.events import RequestBody
from tests.certificates import issue

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
MANY = 2000


async def health(channel: Any, service: str) -> int:
    request = health_pb2.HealthCheckRequest(service=service)
    return int((await health_pb2_grpc.HealthStub(channel).Check(request)).status)


@pytest.mark.parametrize("service", ["", PROCESSOR_SERVICE])
async def test_it_reports_health_by_the_name_envoy_asks_for(
    service: str, make_pipeline: Callable[..., Pipeline], serve: Any
) -> None:
    _, channel = await serve(make_pipeline())
    assert await health(channel, service) == SERVING


async def test_a_draining_server_says_so_and_serves_on(
    make_pipeline: Callable[..., Pipeline], serve: Any
) -> None:
    server, channel = await serve(make_pipeline())
    await health(channel, "")
    draining = asyncio.ensure_future(server.drain(notice=0.5, grace=5))
    while await health(channel, "") != NOT_SERVING:
        await asyncio.sleep(0.01)
    assert not draining.done()
    await draining


async def test_a_port_is_chosen_and_returned(
    make_pipeline: Callable[..., Pipeline], recorder: Any
) -> None:
    server = Server(make_pipeline(), recorder)
    assert await server.start("127.0.0.1:0") > 0
    await server.drain(0, 0)


async def test_a_taken_port_is_an_error(
    make_pipeline: Callable[..., Pipeline], recorder: Any
) -> None:
    first, second = (Server(make_pipeline(), recorder) for _ in range(2))
    port = await first.start("127.0.0.1:0")
    with pytest.raises(OSError, match=f"127.0.0.1:{port}"):
        await second.start(f"127.0.0.1:{port}")
    await first.drain(0, 0)
    await second.drain(0, 0)


async def test_requests_wait_for_a_busy_server(
    make_pipeline: Callable[..., Pipeline], recorder: Any, tmp_path: Path
) -> None:
    """By default gRPC refuses some of those beyond 1,000, more of them the more there are."""
    address = f"unix:{tmp_path}/busy.sock"
    busy, free, over = threading.Event(), threading.Event(), threading.Event()

    async def serve() -> None:
        server = Server(make_pipeline(), recorder)
        await server.start(address)
        busy.set()
        free.wait(30)
        await asyncio.to_thread(over.wait, 60)
        await server.drain(0, 0)

    statuses: list[int] = []

    async def ask(channel: Any) -> None:
        statuses.append(await health(channel, ""))

    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.to_thread(asyncio.run, serve()))
        await asyncio.to_thread(busy.wait, 30)
        try:
            async with grpc.aio.insecure_channel(address) as channel, asyncio.TaskGroup() as calls:
                for _ in range(MANY):
                    calls.create_task(ask(channel))
                # Until gRPC has them all; nobody tells.
                await asyncio.sleep(1)
                free.set()
        finally:
            free.set()
            over.set()
    assert set(statuses) == {SERVING}


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    tmp_path.chmod(request.param)
    return tmp_path


@pytest.mark.parametrize(
    ("folder", "socket_mode"),
    [(0o700, 0o600), (0o775, 0o620), (0o2777, 0o622), (0o1777, 0o600)],
    ids=["private", "of a group", "shared by containers", "of everybody, sticky"],
    indirect=["folder"],
)
async def test_those_may_connect_who_may_write_to_the_folder_of_a_socket(
    make_pipeline: Callable[..., Pipeline], recorder: Any, folder: Path, socket_mode: int
) -> None:
    path = folder / "processor.sock"
    server = Server(make_pipeline(), recorder)
    await server.start(f"unix:{path}")
    assert path.stat().st_mode & 0o777 == socket_mode
    await server.drain(0, 0)


async def test_a_key_that_grpc_cannot_use(
    make_pipeline: Callable[..., Pipeline], recorder: Any, tmp_path: Path
) -> None:
    """OpenSSL can, so that the pair is one."""
    issued = issue(trustme.CA(), "processor.test", curve=ec.SECP256K1())
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    certificate.write_bytes(issued.chain)
    key.write_bytes(issued.key)
    server = Server(make_pipeline(), recorder)
    with pytest.raises(OSError, match=r"tls\.key is no key for RSA, P-256 or P-384"):
        await server.start("127.0.0.1:0", ServerTls(str(certificate), str(key)))
    await server.drain(0, 0)


async def test_a_socket_that_a_killed_worker_left_is_taken_over(
    make_pipeline: Callable[..., Pipeline], recorder: Any, tmp_path: Path
) -> None:
    path = tmp_path / "w.sock"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    server = Server(make_pipeline(), recorder)
    await server.start(f"unix:{path}")
    await server.drain(0, 0)


def test_a_message_holds_the_largest_request_and_answer_that_any_configuration_allows() -> None:
    sizes = [size for name, size in _OPTIONS if name.endswith("message_length")]
    assert all(size > LARGEST_SIZE for size in sizes)
    assert len(sizes) == 2


async def test_there_are_no_older_streams_before_and_after_a_swap(
    make_pipeline: Callable[..., Pipeline], serve: Any
) -> None:
    server, _ = await serve(make_pipeline())
    assert server.older_streams == 0
    server.swap(make_pipeline())
    assert server.older_streams == 0


async def test_what_is_free_goes_back_before_a_large_body_is_read(
    monkeypatch: pytest.MonkeyPatch, make_pipeline: Callable[..., Pipeline], recorder: Any
) -> None:
    given_back: list[bool] = []
    monkeypatch.setattr(heap, "give_back", lambda: given_back.append(True))
    server = Server(make_pipeline(), recorder)
    small, large = (
        pb.ProcessingRequest(request_body=pb.HttpBody(body=bytes(size))).SerializeToString()
        for size in (1000, heap.LARGE)
    )
    server._parse(small)
    assert not given_back
    assert server._parse(large) == RequestBody(bytes(heap.LARGE))
    assert given_back
