"""The pod of docs/deploy/sidecar.md: `serve` and a plain Envoy that share a unix socket."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from tests.e2e.gateway import DEADLINE, ENVOY, OUTERLOOP

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, Process

GUIDE = Path(__file__).parents[2] / "docs/deploy/sidecar.md"
CHAT = "/v1/chat/completions"
ASKED = {"model": "hotel_agent", "messages": [{"role": "user", "content": "hello"}]}


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@dataclass
class Pod:
    """Both containers, with the folder and the ports of a test in place of a pod's."""

    url: str
    pre_stop: list[str]
    socket: Path

    def health(self) -> int:
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/healthz", timeout=DEADLINE).status_code
        return 0


@pytest.fixture
def pod(
    travel_yaml: Callable[..., str],
    free_ports: Callable[[int], list[int]],
    start_process: type[Process],
) -> Iterator[Pod]:
    [text] = re.findall(
        r"^```yaml kubernetes\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE
    )
    spec: dict[str, Any] = yaml.safe_load(text)["spec"]
    [processor], [envoy] = spec["initContainers"], spec["containers"]
    listener, envoy_admin, admin = free_ports(3)
    # Not below tmp_path, which is too long for unix sockets.
    folder = Path(tempfile.mkdtemp(prefix="pod-"))
    places = {
        "/var/run/outerloop": str(folder),
        "/etc/outerloop": str(folder),
        "/etc/envoy": str(folder / "rendered"),
        "0.0.0.0:9902": f"127.0.0.1:{admin}",
        "/127.0.0.1/9901": f"/127.0.0.1/{envoy_admin}",
        "sleep 10": "sleep 0",
    }

    def here(arguments: list[str]) -> list[str]:
        for there, place in places.items():
            arguments = [each.replace(there, place) for each in arguments]
        return arguments

    config = travel_yaml().replace("port: 0", f"port: {listener}")
    where = f"deploy: {{processor: {{addresses: ['unix:{folder}/processor.sock']}}}}\n"
    (folder / "outerloop.yaml").write_text(config + where)
    render = (OUTERLOOP, "render", "-c", folder / "outerloop.yaml", "--target", "bootstrap")
    subprocess.run([*render, "-o", folder / "rendered"], check=True, capture_output=True)
    bootstrap = folder / "rendered/bootstrap.yaml"
    bootstrap.write_text(bootstrap.read_text().replace("9901", str(envoy_admin)))
    scratch = folder / "scratch"
    scratch.mkdir()
    program = ("env", "-i", f"TMPDIR={scratch}", f"PATH={Path(sys.executable).parent}", "outerloop")
    processes = [
        start_process(*program, *here(processor["args"]), cwd=Path("/")),
        start_process(ENVOY, *here(envoy["args"]), "-l", "error"),
    ]
    assert processor["env"] == [{"name": "TMPDIR", "value": "/tmp"}]
    pre_stop = here(envoy["lifecycle"]["preStop"]["exec"]["command"])
    yield Pod(f"http://127.0.0.1:{listener}", pre_stop, folder / "processor.sock")
    for process in reversed(processes):
        process.stop()
    shutil.rmtree(folder)


@pytest.mark.slow
def test_requests_go_through_the_socket(pod: Pod, http: httpx.Client) -> None:
    wait_until(lambda: http_status(http, pod.url + CHAT) == 200)
    answer = http.post(pod.url + CHAT, json=ASKED)
    assert answer.json()["agent"] == "hotel_agent"
    assert pod.socket.is_socket()


@pytest.mark.slow
def test_envoy_is_stopped_when_its_streams_have_ended(
    pod: Pod, http: httpx.Client, echo_agents: dict[str, EchoAgent]
) -> None:
    wait_until(lambda: http_status(http, pod.url + CHAT) == 200)
    held = {"x-test-hold": "now", "x-request-id": "held-in-the-pod"}
    hotel = echo_agents["hotel_agent"]
    with ThreadPoolExecutor() as threads:
        asked = threads.submit(
            lambda: httpx.post(pod.url + CHAT, json=ASKED, headers=held, timeout=DEADLINE)
        )
        wait_until(lambda: "held-in-the-pod" in hotel.running())
        with subprocess.Popen(pod.pre_stop, stdout=subprocess.DEVNULL) as stopping:
            wait_until(lambda: pod.health() == 503)
            assert stopping.poll() is None
            hotel.release("held-in-the-pod")
            assert asked.result(DEADLINE).status_code == 200
            assert stopping.wait(DEADLINE) == 0


def http_status(client: httpx.Client, url: str) -> int:
    with suppress(httpx.TransportError):
        return client.post(url, json=ASKED).status_code
    return 0
