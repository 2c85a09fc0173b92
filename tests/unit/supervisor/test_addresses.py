from __future__ import annotations

import socket

import pytest

from extproc.address import PipeAddress, SocketAddress
from extproc.supervisor.addresses import following, require_free
from extproc.supervisor.errors import StartError


def test_each_worker_gets_the_next_port_or_path() -> None:
    assert following(SocketAddress("h", 9001), 3) == (
        SocketAddress("h", 9001),
        SocketAddress("h", 9002),
        SocketAddress("h", 9003),
    )
    assert following(PipeAddress("/o.sock"), 2) == (
        PipeAddress("/o.sock"),
        PipeAddress("/o.sock.1"),
    )


@pytest.mark.parametrize(("port", "count"), [(0, 1), (65_535, 2), (65_500, 64)])
def test_ports_that_nobody_could_connect_to_are_refused(port: int, count: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 65535"):
        following(SocketAddress("h", port), count)


def test_the_last_port_is_a_port() -> None:
    assert following(SocketAddress("h", 65_535), 1) == (SocketAddress("h", 65_535),)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_taken_port_is_told_with_its_owner(host: str) -> None:
    with socket.socket() as taken:
        taken.bind((host, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=rf"{port} \(listener x\): the port is in use"):
            require_free(SocketAddress(host, port), "listener x")


def test_a_port_that_was_just_in_use_is_free() -> None:
    with socket.socket() as server, socket.socket() as client:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        client.connect(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()
    require_free(SocketAddress("127.0.0.1", port), "x")


def test_any_free_port_is_free() -> None:
    require_free(SocketAddress("127.0.0.1", 0), "x")


def test_an_address_of_another_machine_is_not_possible() -> None:
    with pytest.raises(StartError, match=r"192\.0\.2\.1:8001"):
        require_free(SocketAddress("192.0.2.1", 8001), "x")
