"""TLS between Envoy and the processor: who is refused, and certificates that change under load."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import trustme

from extproc.envoyconf.upstreams import ProcessorTls
from tests.certificates import Issued, issue, serial
from tests.e2e.processor_tls import (
    AGENT,
    CHAT,
    ENVOYS,
    OURS,
    Certificates,
    Folded,
    Mounted,
    TlsGateway,
    asking,
    connecting_often,
    until,
)

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, Process

GUIDE: Final = Path(__file__).parents[2] / "docs/deploy/tls.md"

Refused = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def make_gateway(
    travel_yaml: Callable[..., str],
    free_ports: Callable[[int], list[int]],
    start_process: type[Process],
) -> Callable[[Path, ExitStack], TlsGateway]:
    """Make a gateway whose processes end with the stack given."""

    def make(folder: Path, ends: ExitStack) -> TlsGateway:
        gateway = TlsGateway(start_process, folder, travel_yaml(), free_ports(3))
        ends.callback(lambda: [process.stop() for process in gateway.processes])
        return gateway

    return make


@pytest.fixture
def gateway(
    make_gateway: Callable[[Path, ExitStack], TlsGateway], tmp_path: Path
) -> Iterator[TlsGateway]:
    with ExitStack() as ends:
        yield make_gateway(tmp_path, ends)


@pytest.mark.parametrize("mutual", [pytest.param(False, marks=pytest.mark.slow), True])
def test_requests_are_decided_and_routed(gateway: TlsGateway, tmp_path: Path, mutual: bool) -> None:
    certificates = Certificates(tmp_path)
    gateway.serve(None, *certificates.options(mutual=mutual))
    gateway.envoy_with(certificates.towards(mutual=mutual))
    gateway.wait_healthy(1)
    answer = gateway.ask()
    assert (answer.status_code, answer.json()["agent"]) == (200, AGENT)
    # Health checks come by the same way.
    assert gateway.count("health_check.success") > 0
    assert gateway.count("ssl.handshake") == gateway.count("ssl.versions.TLSv1.3") > 1


@pytest.mark.slow
def test_without_tls_there_is_nobody(gateway: TlsGateway, tmp_path: Path, refused: Refused) -> None:
    gateway.serve(None, *Certificates(tmp_path).options(mutual=False))
    gateway.envoy()
    until(lambda: gateway.count("health_check.failure"))
    refused(gateway.ask(), CHAT, 503, "processor_unavailable")


class Wary:
    """A processor that wants to know who asks, and Envoys that it and they do not agree with."""

    def __init__(self, gateway: TlsGateway, refused: Refused, agent: EchoAgent) -> None:
        self.certificates = Certificates(gateway.folder)
        self._gateway, self._refused, self._agent = gateway, refused, agent
        self._serve = gateway.serve(None, *self.certificates.options())

    def refuses(self, tls: ProcessorTls, log: str) -> None:
        """Hold that this Envoy is refused, with that in the log."""
        before = len(self._serve.err.until_now())
        self._check(tls, lambda: any(log in each for each in self._serve.err.until_now()[before:]))

    def is_refused(self, tls: ProcessorTls, counter: str) -> None:
        """Hold that this Envoy refuses the processor, and counts it so."""
        self._check(tls, lambda: self._gateway.count(counter))

    def _check(self, tls: ProcessorTls, noticed: Callable[[], object]) -> None:
        gateway = self._gateway
        envoy = gateway.envoy_with(tls)
        until(noticed)
        until(lambda: gateway.count("health_check.failure"))
        self._agent.forget()
        self._refused(gateway.ask(), CHAT, 503, "processor_unavailable")
        assert self._agent.requests() == []
        assert gateway.count("health_check.success") == 0
        # The next one has its ports.
        envoy.stop()


@pytest.fixture(scope="module")
def wary(
    make_gateway: Callable[[Path, ExitStack], TlsGateway],
    tmp_path_factory: pytest.TempPathFactory,
    refused: Refused,
    echo_agents: dict[str, EchoAgent],
) -> Iterator[Wary]:
    with ExitStack() as ends:
        gateway = make_gateway(tmp_path_factory.mktemp("wary"), ends)
        yield Wary(gateway, refused, echo_agents[AGENT])


def test_a_processor_of_another_name(wary: Wary) -> None:
    wary.is_refused(wary.certificates.towards(san="other.test"), "ssl.fail_verify_san")


def test_a_processor_of_another_authority(wary: Wary, tmp_path: Path) -> None:
    theirs = Folded(tmp_path / "theirs")
    theirs.trust(trustme.CA())
    wary.is_refused(ProcessorTls(theirs["ca"], san=OURS), "ssl.fail_verify_error")


def test_a_processor_whose_certificate_has_expired(
    gateway: TlsGateway, tmp_path: Path, refused: Refused, echo_agents: dict[str, EchoAgent]
) -> None:
    certificates = Certificates(tmp_path)
    certificates.processor.show(issue(certificates.servers, OURS, expired=True))
    gateway.serve(None, *certificates.options())
    gateway.envoy_with(certificates.towards())
    until(lambda: gateway.count("ssl.fail_verify_error"))
    echo_agents[AGENT].forget()
    refused(gateway.ask(), CHAT, 503, "processor_unavailable")
    assert echo_agents[AGENT].requests() == []


def test_an_envoy_without_a_certificate(wary: Wary) -> None:
    wary.refuses(wary.certificates.towards(mutual=False), "PEER_DID_NOT_RETURN_A_CERTIFICATE")


def test_an_envoy_of_another_authority(wary: Wary, tmp_path: Path) -> None:
    theirs = shown_by_an_envoy(wary, tmp_path, issue(trustme.CA(), ENVOYS))
    wary.refuses(theirs, "CERTIFICATE_VERIFY_FAILED")


def test_an_envoy_whose_certificate_has_expired(wary: Wary, tmp_path: Path) -> None:
    expired = issue(wary.certificates.clients, ENVOYS, expired=True)
    wary.refuses(shown_by_an_envoy(wary, tmp_path, expired), "certificate has expired")


def test_an_envoy_of_a_name_that_is_not_listed(wary: Wary, tmp_path: Path) -> None:
    other = issue(wary.certificates.clients, "spiffe://test/other")
    told = "a client is refused: its names are ['spiffe://test/other']"
    wary.refuses(shown_by_an_envoy(wary, tmp_path, other), told)


def shown_by_an_envoy(wary: Wary, folder: Path, issued: Issued) -> ProcessorTls:
    theirs = Folded(folder / "theirs")
    theirs.trust(wary.certificates.servers)
    theirs.show(issued)
    return ProcessorTls(theirs["ca"], theirs["crt"], theirs["key"], san=OURS)


@pytest.mark.parametrize("kind", [pytest.param(Folded, marks=pytest.mark.slow), Mounted])
def test_no_request_is_lost_while_all_certificates_change(
    gateway: TlsGateway, tmp_path: Path, kind: type[Folded]
) -> None:
    certificates = Certificates(tmp_path, kind)
    serve = gateway.serve(None, *certificates.options())
    gateway.envoy_with(certificates.towards(), connecting_often)
    gateway.wait_healthy(1)
    with asking(gateway) as answers:
        for _ in range(3):
            replace_all(certificates, gateway)
    assert answers.keys() == {200}, answers
    # A connection is for three of them, and each of its steps has waited for some.
    assert answers[200] > 3 * 15
    assert "Traceback" not in serve.output


def replace_all(certificates: Certificates, gateway: TlsGateway) -> None:
    """Trust new authorities beside the old ones, show what they signed, trust them alone."""
    processor, envoy = certificates.processor, certificates.envoy
    servers, clients = trustme.CA(), trustme.CA()
    ours, theirs = issue(servers, OURS), issue(clients, ENVOYS)
    envoy.trust(certificates.servers, servers)
    processor.trust(certificates.clients, clients)
    until(lambda: gateway.has(serial(servers)))
    gateway.wait_handshakes(5)
    processor.show(ours)
    envoy.show(theirs)
    until(lambda: gateway.has(theirs.serial))
    gateway.wait_handshakes(5)
    envoy.trust(servers)
    processor.trust(clients)
    until(lambda: not gateway.has(serial(certificates.servers)))
    gateway.wait_handshakes(5)
    certificates.servers, certificates.clients = servers, clients


@pytest.mark.slow
def test_a_half_written_certificate_changes_nothing(gateway: TlsGateway, tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    serve = gateway.serve(None, *certificates.options())
    gateway.envoy_with(certificates.towards(), connecting_often)
    gateway.wait_healthy(1)

    def lines(text: str) -> list[str]:
        return [line for line in serve.err.until_now() if text in line]

    new = issue(certificates.servers, OURS)
    ours = Path(certificates.processor["crt"])
    with asking(gateway) as answers:
        # In place, as an editor may do it.
        ours.write_bytes(new.chain[:200])
        gateway.wait_handshakes(10)
        ours.write_bytes(new.chain)
        gateway.wait_handshakes(10)
        told = lines("stays in use")
        certificates.processor.put(key=new.key)
        until(lambda: lines("was read again"))
        gateway.wait_handshakes(10)
    assert answers.keys() == {200}, answers
    # Half of it, and then the whole without its key.
    assert [line.rpartition("are no pair: ")[2] for line in told] == [
        "not PEM",
        "KEY_VALUES_MISMATCH",
    ]
    assert lines("stays in use") == told
    assert "PRIVATE" not in serve.output


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the guide's commands are openssl's")
@pytest.mark.slow
def test_the_guide_s_certificates_and_how_it_sees_that_they_work(
    gateway: TlsGateway, tmp_path: Path
) -> None:
    blocks = re.findall(
        r"^```(?:bash|text)\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL
    )
    commands, serve, proof, shown = blocks
    subprocess.run(["sh", "-ec", commands], cwd=tmp_path, check=True, capture_output=True)
    paths = {path.name: str(path) for path in tmp_path.iterdir()}
    told = serve.split()
    options = told[told.index("--tls-certificate") :]
    gateway.serve(None, *(paths.get(each, each) for each in options))
    ca, certificate, key = (paths[each] for each in ("processor-ca.crt", "envoy.crt", "envoy.key"))
    gateway.envoy_with(ProcessorTls(ca, certificate, key, san="processor.example"))
    gateway.wait_healthy(1)
    assert gateway.ask().status_code == 200
    query = proof.partition("9901")[2].rpartition("'")[0]
    counts = dict(line.split(": ") for line in gateway.admin_page(query).splitlines())
    assert list(counts) == [line.partition(":")[0] for line in shown.splitlines()]
    assert int(counts["cluster.processor.ssl.handshake"]) > 0
