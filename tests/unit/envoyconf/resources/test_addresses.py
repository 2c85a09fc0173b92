from __future__ import annotations

from extproc.address import PipeAddress, SocketAddress
from extproc.envoyconf.resources.addresses import address, load_assignment


def test_a_unix_socket_is_a_pipe() -> None:
    assert address(PipeAddress("/run/a.sock")).to_dict() == {"pipe": {"path": "/run/a.sock"}}


def test_host_and_port() -> None:
    assert address(SocketAddress("::1", 80)).to_dict() == {
        "socketAddress": {"address": "::1", "portValue": 80}
    }


def test_every_endpoint_is_of_one_priority() -> None:
    assignment = load_assignment("processor", PipeAddress("/0"), SocketAddress("127.0.0.1", 9002))
    assert assignment.cluster_name == "processor"
    (locality,) = assignment.endpoints
    assert [each.endpoint and each.endpoint.address for each in locality.lb_endpoints] == [
        address(PipeAddress("/0")),
        address(SocketAddress("127.0.0.1", 9002)),
    ]
