"""`serve` as the pods of `render --target kubernetes` run it."""

from __future__ import annotations

import json
import shutil
import signal
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

from extproc.manifests.kubernetes.container import LEAVING
from tests.e2e.gateway import DEADLINE, OUTERLOOP, Gateway

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, Process

CHAT = "/v1/chat/completions"
CONVERSATION = {"messages": [{"role": "user", "content": "A flight to Oslo?"}]}


class MountedConfigMap:
    """A folder as the kubelet makes it: links that lead through `..data`, which is replaced."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._versions = 0

    def write(self, **files: str) -> None:
        self._versions += 1
        version = self._folder / f"..2026_{self._versions}"
        version.mkdir(parents=True)
        for name, text in files.items():
            (version / f"{name}.yaml").write_text(text)
            with suppress(FileExistsError):
                (self._folder / f"{name}.yaml").symlink_to(f"..data/{name}.yaml")
        old = (self._folder / "..data").resolve()
        link = self._folder / "..data_tmp"
        link.symlink_to(version.name)
        link.rename(self._folder / "..data")
        if self._versions > 1:
            shutil.rmtree(old)


@dataclass
class Pod:
    """The container of the rendered Deployment, on ports of the test."""

    spec: dict[str, Any]
    args: list[str]
    scratch: Path
    config: MountedConfigMap
    process: Process
    admin: str

    def probe(self, name: str) -> int:
        """Ask as the kubelet does; 0 where nobody listens yet or any more."""
        [container] = self.spec["containers"]
        path = container[f"{name}Probe"]["httpGet"]["path"]
        with suppress(httpx.TransportError):
            return httpx.get(self.admin + path, timeout=DEADLINE).status_code
        return 0

    def wait_started(self) -> list[int]:
        """Return what the startup probe was answered until it was 200."""
        answers: list[int] = []
        while (answer := self.probe("startup")) != 200:
            answers.append(answer)
            assert self.process.popen.poll() is None, self.process.output
        return answers

    def wait_generation(self, number: int) -> None:
        wait_until(lambda: self.get("/readyz")["generation"] == number)

    def get(self, path: str) -> Any:
        return httpx.get(self.admin + path, timeout=DEADLINE).json()


Run = Callable[..., Pod]
Within = Callable[[Path], tuple[str, ...]]
"""What to put before a command, given the folder that it may write to."""


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def run_pod(
    tmp_path: Path, start_process: type[Process], free_ports: Callable[[int], list[int]]
) -> Iterator[Run]:
    """Render a file and run what its Deployment runs, in an environment that is the pod's alone."""
    # Not below tmp_path, which is too long for unix sockets.
    scratch = Path(tempfile.mkdtemp(prefix="scratch-"))
    processes: list[Process] = []

    def run(text: str, *, port: int | None = None, within: Within = lambda _: ()) -> Pod:
        file = tmp_path / "outerloop.yaml"
        file.write_text(text)
        rendered = subprocess.run(
            [OUTERLOOP, "render", "-c", file, "--target", "kubernetes"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        objects = {each["kind"]: each for each in yaml.safe_load_all(rendered)}
        config = MountedConfigMap(tmp_path / "config")
        config.write(outerloop=objects["ConfigMap"]["data"]["outerloop.yaml"])
        spec = objects["Deployment"]["spec"]["template"]["spec"]
        [container] = spec["containers"]
        bind, admin = port or free_ports(1)[0], free_ports(1)[0]
        places = {
            "/etc/outerloop": str(tmp_path / "config"),
            "0.0.0.0:9001": f"127.0.0.1:{bind}",
            "0.0.0.0:9902": f"127.0.0.1:{admin}",
        }
        args: list[str] = list(container["args"])
        for there, here in places.items():
            args = [each.replace(there, here) for each in args]
        variables = {each["name"]: each["value"] for each in container["env"]}
        assert variables == {"TMPDIR": "/tmp"}
        process = start_process(
            *within(scratch),
            *("env", "-i", f"TMPDIR={scratch}", f"PATH={Path(sys.executable).parent}"),
            *("outerloop", *args),
            cwd=Path("/"),
        )
        processes.append(process)
        return Pod(spec, args, scratch, config, process, f"http://127.0.0.1:{admin}")

    yield run
    for process in processes:
        process.stop()
    shutil.rmtree(scratch)


@pytest.fixture
def gateway(
    travel_yaml: Callable[..., str],
    tmp_path: Path,
    free_ports: Callable[[int], list[int]],
    start_process: type[Process],
) -> Iterator[Gateway]:
    gateway = Gateway(start_process, tmp_path, travel_yaml(), free_ports(3))
    yield gateway
    for process in gateway.processes:
        process.stop()


@pytest.mark.slow
def test_probes_say_when_the_pod_starts_serves_and_leaves(
    run_pod: Run, travel_yaml: Callable[..., str]
) -> None:
    pod = run_pod(travel_yaml())
    assert set(pod.wait_started()) <= {0, 503}
    assert (pod.probe("readiness"), pod.probe("liveness")) == (200, 200)
    pod.process.popen.send_signal(signal.SIGTERM)
    seen = set()
    while pod.process.popen.poll() is None:
        seen.add((pod.probe("readiness"), pod.probe("liveness")))
    # Alive until the end, so that it is not killed; and sent nothing new.
    assert (503, 200) in seen
    assert pod.process.popen.returncode == 0
    assert list(pod.scratch.iterdir()) == []


@pytest.mark.slow
def test_a_config_map_that_changes_is_read_again(
    run_pod: Run, travel_yaml: Callable[..., str]
) -> None:
    pod = run_pod(travel_yaml())
    pod.wait_started()
    for generation, name in enumerate(("motel_agent", "hostel_agent"), 2):
        pod.config.write(outerloop=travel_yaml().replace("hotel_agent", name))
        pod.wait_generation(generation)
        assert name in str(pod.get("/config")["config"]["agents"])
    pod.config.write(outerloop="version: v1\n")
    wait_until(lambda: pod.get("/status")["last_reload"]["outcome"] == "rejected")
    assert (pod.probe("readiness"), pod.get("/readyz")["generation"]) == (200, generation)


@pytest.mark.slow
def test_what_a_pod_was_asked_about_ends_before_it_is_killed(
    run_pod: Run,
    gateway: Gateway,
    travel_yaml: Callable[..., str],
    echo_agents: dict[str, EchoAgent],
) -> None:
    """A plan whose first agent does not answer until the pod is told to stop."""
    agents = ("weather_agent", "flight_agent")
    rule = f"{{when: {{headers: {{x-plan: both}}}}, agents: [{', '.join(agents)}]}}"
    gateway.yaml = travel_yaml(f"rules: [{rule}]")
    pod = run_pod(gateway.yaml, port=gateway.processor)
    pod.wait_started()
    gateway.envoy()
    gateway.wait_healthy(1)
    said = {"choices": [{"message": {"role": "assistant", "content": "said"}}]}
    wish = {"x-plan": "both", "x-test-hold": "now", "x-request-id": "held"}
    wish["x-test-body"] = json.dumps(json.dumps(said))
    with ThreadPoolExecutor() as threads:
        asked = threads.submit(
            lambda: httpx.post(gateway.url + CHAT, json=CONVERSATION, headers=wish, timeout=60)
        )
        first, last = (echo_agents[agent] for agent in agents)
        wait_until(lambda: "held" in first.running())
        pod.process.popen.send_signal(signal.SIGTERM)
        wait_until(lambda: pod.probe("readiness") == 503)
        first.release("held")
        wait_until(lambda: "held" in last.running())
        last.release("held")
        answer = asked.result(DEADLINE)
    assert (answer.status_code, answer.json()) == (200, said)
    assert last.requests()[-1].header("x-outerloop-step") == "2/2"
    grace: int = pod.spec["terminationGracePeriodSeconds"]
    assert pod.process.popen.wait(grace - LEAVING) == 0


def read_only(writable: Path) -> tuple[str, ...]:
    """Return what runs a command that may write to one folder alone, and to devices."""
    script = (
        f"mount --bind {writable} {writable} && mount -o remount,bind,ro / && "
        '! touch /written 2>/dev/null && exec "$@"'
    )
    return ("unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh")


@pytest.mark.slow
def test_it_writes_to_its_scratch_folder_alone(
    run_pod: Run, travel_yaml: Callable[..., str], tmp_path: Path
) -> None:
    tried = subprocess.run([*read_only(tmp_path), "true"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip("mount namespaces are not allowed here")
    pod = run_pod(travel_yaml(), within=read_only)
    pod.wait_started()
    question = {"text": "A flight to Oslo?"}
    asked = httpx.post(f"{pod.admin}/route", json=question, timeout=DEADLINE)
    assert asked.json()["plan"] == ["flight_agent"]
    assert httpx.get(f"{pod.admin}/metrics", timeout=DEADLINE).status_code == 200
    assert pod.process.stop() == 0
    assert pod.process.output.partition("--- stderr\n")[2] == ""
    assert list(pod.scratch.iterdir()) == []
