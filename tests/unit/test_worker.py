from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc

from extproc.supervisor import control
from extproc.supervisor.stack import Snapshot
from tests.certificates import issue

YAML = """
version: v1
agents: [{id: a, url: $AGENT}]
listeners: [{type: agent, name: l, port: 0, agents: [{id: a}]}]
"""
Worker = subprocess.Popen[str]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    workers: list[Worker] = []

    def run(
        *options: str,
        agent: str = "http://127.0.0.1:1",
        folder: Path = tmp_path,
        notice: float = 0,
    ) -> Worker:
        snapshot = tmp_path / "snapshot.yaml"
        snapshot.write_text(YAML)
        argv = (
            *(sys.executable, "-m", "extproc.worker", "--snapshot", str(snapshot)),
            *("--file", str(tmp_path / "outerloop.yaml"), "--bind", f"unix:{folder}/w.sock"),
            *("--control", str(tmp_path / "control.sock")),
            *("--generation", "4", "--notice", str(notice), "--drain-time", "1"),
            *options,
        )
        pipe = subprocess.PIPE
        worker = subprocess.Popen(
            argv, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env={"AGENT": agent}
        )
        workers.append(worker)
        return worker

    yield run
    for worker in workers:
        with worker:
            worker.kill()


def next_word(worker: Worker) -> dict[str, object]:
    assert worker.stdout is not None
    word: dict[str, object] = json.loads(worker.stdout.readline())
    return word


def end_input(worker: Worker) -> None:
    assert worker.stdin is not None
    worker.stdin.close()


def health(folder: Path) -> int:
    with grpc.insecure_channel(f"unix:{folder}/w.sock") as channel:
        request = health_pb2.HealthCheckRequest()
        return int(health_pb2_grpc.HealthStub(channel).Check(request, timeout=20).status)


def test_it_says_when_it_serves_and_which_generation(
    start: Callable[..., Worker], tmp_path: Path
) -> None:
    assert next_word(start()) == {"generation": 4}
    assert (tmp_path / "w.sock").is_socket()
    assert health(tmp_path) == health_pb2.HealthCheckResponse.SERVING


def test_it_stops_at_once_at_the_end_of_its_input(start: Callable[..., Worker]) -> None:
    worker = start(notice=600)
    next_word(worker)
    end_input(worker)
    assert next_word(worker) == {"stopping": True}
    assert worker.wait(60) == 0


def test_sigterm_gives_those_who_send_requests_notice(
    start: Callable[..., Worker], tmp_path: Path
) -> None:
    worker = start(notice=600)
    next_word(worker)
    worker.send_signal(signal.SIGTERM)
    assert next_word(worker) == {"stopping": True}
    # Until it has a successor.
    assert health(tmp_path) == health_pb2.HealthCheckResponse.SERVING
    end_input(worker)
    deadline = time.monotonic() + 20
    while health(tmp_path) != health_pb2.HealthCheckResponse.NOT_SERVING:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert worker.poll() is None


def test_it_drains_on_sigterm(start: Callable[..., Worker]) -> None:
    worker = start()
    next_word(worker)
    worker.send_signal(signal.SIGTERM)
    end_input(worker)
    assert worker.wait(60) == 0


def test_it_finishes_in_order_where_its_supervisor_was_killed(start: Callable[..., Worker]) -> None:
    """Nobody reads any more what it says."""
    worker = start()
    next_word(worker)
    assert worker.stdout is not None
    assert worker.stderr is not None
    worker.stdout.close()
    end_input(worker)
    assert worker.wait(60) == 0
    assert worker.stderr.read() == ""


def test_it_takes_over_another_configuration_when_it_is_told(
    start: Callable[..., Worker], tmp_path: Path
) -> None:
    next_word(start())
    socket = tmp_path / "control.sock"
    faulty, other = Snapshot(5, tmp_path / "faulty.yaml"), Snapshot(5, tmp_path / "other.yaml")
    faulty.path.write_text("version: v0")
    other.path.write_text(YAML.replace("id: a", "id: b"))

    async def reload() -> None:
        with pytest.raises(control.WorkerFailed, match=r"outerloop\.yaml:1:"):
            await control.prepare(socket, faulty)
        assert await control.state(socket) == {"generation": 4, "older_streams": 0}
        await control.prepare(socket, other)
        await control.commit(socket, other)
        assert await control.state(socket) == {"generation": 5, "older_streams": 0}

    asyncio.run(reload())


def test_ctrl_c_is_the_supervisors_affair(start: Callable[..., Worker]) -> None:
    worker = start()
    next_word(worker)
    worker.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        worker.wait(0.5)


def test_a_faulty_snapshot_ends_it_without_the_environments_values(
    start: Callable[..., Worker],
) -> None:
    worker = start(agent="ftp://very-secret")
    _, shown = worker.communicate(timeout=20)
    assert worker.returncode == 1
    (line,) = shown.splitlines()
    assert "outerloop.yaml:3:23: agents[0].url: must be a URL" in line
    assert "very-secret" not in line


def test_an_address_that_cannot_be_listened_on_is_said_without_a_traceback(
    start: Callable[..., Worker], tmp_path: Path
) -> None:
    worker = start(folder=tmp_path / "missing")
    _, shown = worker.communicate(timeout=20)
    assert worker.returncode == 1
    assert shown.splitlines()[-1] == f"cannot listen on unix:{tmp_path}/missing/w.sock"
    assert "Traceback" not in shown
    assert "Unclosed" not in shown


def test_tls_is_what_the_options_say(start: Callable[..., Worker], tmp_path: Path) -> None:
    authority = trustme.CA()
    ours, envoy, other = (issue(authority, f"{name}.test") for name in ("ours", "envoy", "other"))
    trusted = authority.cert_pem.bytes()
    contents = {"certificate": ours.chain, "key": ours.key, "client-ca": trusted}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    files = [f"--tls-{name}={tmp_path / name}" for name in contents]
    next_word(start(*files, "--tls-client-san=-x", "--tls-client-san=envoy.test"))
    named = (("grpc.ssl_target_name_override", "ours.test"),)
    for client, refused in ((envoy, False), (other, True)):
        shown = grpc.ssl_channel_credentials(trusted, client.key, client.chain)
        with grpc.secure_channel(f"unix:{tmp_path}/w.sock", shown, named) as channel:
            call = health_pb2_grpc.HealthStub(channel).Check.with_call
            if refused:
                with pytest.raises(grpc.RpcError, match="PERMISSION_DENIED"):
                    call(health_pb2.HealthCheckRequest(), timeout=20)
            else:
                call(health_pb2.HealthCheckRequest(), timeout=20)


def test_a_certificate_that_is_gone_is_said_without_a_traceback(
    start: Callable[..., Worker],
) -> None:
    worker = start("--tls-certificate=/missing", "--tls-key=/missing")
    _, shown = worker.communicate(timeout=20)
    assert worker.returncode == 1
    assert shown.splitlines()[-1] == "/missing: No such file or directory"
    assert "Traceback" not in shown
