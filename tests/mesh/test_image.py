"""The image, built and run as the rendered Deployment says.

It needs a container engine: docker or podman, or a command that can be called like them, named in
OUTERLOOP_CONTAINERS. OUTERLOOP_PYTHON_IMAGE is another base than that of the Dockerfile.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from extproc.manifests.kubernetes.workload import _USER
from tests.dockerfile import ROOT, arguments, stages

OUTERLOOP = Path(sys.executable).parent / "outerloop"
TRAVEL = ROOT / "examples/travel/outerloop.yaml"
DEADLINE = 60.0
BUILD = 900.0
TOOLS = """
import shutil, sys, pathlib, os, importlib.util
site = pathlib.Path(importlib.util.find_spec("extproc").origin).parents[1]
sources = [each for each in site.rglob("*.py") if each.parent.name != "templates"]
print(os.getuid())
print(*filter(shutil.which, ("gcc", "cc", "g++", "make", "pip", "pip3", "git", "curl")))
print(*(name for name in ("pip", "setuptools", "envoy") if importlib.util.find_spec(name)))
compiled = [importlib.util.cache_from_source(str(each)) for each in sources]
print(*(each for each in compiled if not pathlib.Path(each).exists()))
"""
CONNECT = "import socket; socket.socket(socket.AF_UNIX).connect('/run/shared/processor.sock')"

pytestmark = pytest.mark.timeout(BUILD)


def engine() -> str | None:
    """Return the command of a container engine that works here."""
    chosen = os.environ.get("OUTERLOOP_CONTAINERS")
    if chosen is not None:
        return chosen
    for name in ("docker", "podman"):
        if shutil.which(name) and not failure(name, "info"):
            return name
    return None


class Containers:
    """Containers of one image, which end with the test."""

    def __init__(self, command: str, image: str) -> None:
        self.command, self.image = command, image
        self.started: list[str] = []

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            [self.command, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def once(self, *options: str, run: tuple[str, ...]) -> str:
        return self("run", "--rm", *options, self.image, *run)

    def start(self, *options: str, run: tuple[str, ...]) -> str:
        self.started.append(f"outerloop-{uuid.uuid4().hex[:8]}")
        self("run", "--detach", "--name", self.started[-1], *options, self.image, *run)
        return self.started[-1]

    def stop(self, name: str) -> str:
        """Return the exit code."""
        self("stop", "-t", "60", name)
        return self("inspect", "--format", "{{.State.ExitCode}}", name).strip()

    def remove(self) -> None:
        for name in self.started:
            subprocess.run([self.command, "rm", "--force", name], capture_output=True, check=False)


@pytest.fixture(scope="module")
def image() -> tuple[str, str]:
    command = engine()
    if command is None:
        pytest.skip("no container engine: neither `docker info` nor `podman info` works here")
    base = os.environ.get("OUTERLOOP_PYTHON_IMAGE", arguments()["PYTHON"])
    if failure(command, "image", "inspect", base) and (why := failure(command, "pull", base)):
        pytest.skip(f"{base} cannot be had here: {why[-300:]}")
    tag = "localhost/outerloop-extproc:test"
    build = ("build", "--build-arg", f"PYTHON={base}", "--tag", tag, str(ROOT))
    assert failure(command, *build) == ""
    # An engine that was found may be one that nobody may use, as within a container.
    if "OUTERLOOP_CONTAINERS" not in os.environ and (why := failure(command, "run", "--rm", tag)):
        pytest.skip(f"{command} runs no containers here: {why[-300:]}")
    return command, tag


def failure(*command: str) -> str:
    """Return what a command that fails says; nothing where it does not."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"{done.stderr}, exit code {done.returncode}" if done.returncode else ""


@pytest.fixture
def containers(image: tuple[str, str]) -> Iterator[Containers]:
    made = Containers(*image)
    yield made
    made.remove()


@pytest.fixture
def deployment() -> dict[str, Any]:
    rendered = subprocess.run(
        [OUTERLOOP, "render", "-c", TRAVEL, "--target", "kubernetes"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    [found] = [each for each in yaml.safe_load_all(rendered) if each["kind"] == "Deployment"]
    pod: dict[str, Any] = found["spec"]["template"]["spec"]
    return pod


def as_rendered(pod: dict[str, Any], config: Path) -> tuple[str, ...]:
    """Return the options of `run` for what the pod's specification says."""
    [container] = pod["containers"]
    security, user = container["securityContext"], pod["securityContext"]
    assert security["readOnlyRootFilesystem"]
    assert not security["allowPrivilegeEscalation"]
    volumes = {each["name"]: each for each in pod["volumes"]}
    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    size = volumes["scratch"]["emptyDir"]["sizeLimit"].replace("Mi", "m")
    variables = [f"--env={each['name']}={each['value']}" for each in container["env"]]
    return (
        *("--network", "host", "--read-only", f"--user={user['runAsUser']}:{user['runAsGroup']}"),
        *(f"--cap-drop={each}" for each in security["capabilities"]["drop"]),
        *("--security-opt", "no-new-privileges", "--tmpfs", f"{mounts['scratch']}:size={size}"),
        *("--volume", f"{config}:{mounts['config']}:ro", *variables),
    )


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    folder.mkdir()
    shutil.copy(TRAVEL, folder / "outerloop.yaml")
    folder.chmod(0o755)
    return folder


def test_it_serves_as_the_deployment_runs_it(
    containers: Containers,
    deployment: dict[str, Any],
    config: Path,
    free_ports: Callable[[int], list[int]],
) -> None:
    bind, admin = (f"127.0.0.1:{port}" for port in free_ports(2))
    [container] = deployment["containers"]
    places = {"0.0.0.0:9001": bind, "0.0.0.0:9902": admin}
    args = tuple(places.get(each, each) for each in container["args"])
    name = containers.start(*as_rendered(deployment, config), run=args)
    end = time.monotonic() + DEADLINE
    answer = None
    while answer is None or answer.status_code != 200:
        assert time.monotonic() < end, containers("logs", name)
        time.sleep(0.1)
        with suppress(httpx.TransportError):
            answer = httpx.get(f"http://{admin}{container['startupProbe']['httpGet']['path']}")
    asked = httpx.post(
        f"http://{admin}/route", json={"text": "A flight to Oslo?"}, timeout=DEADLINE
    )
    assert asked.json()["plan"] == ["flight_agent"]
    assert containers.stop(name) == "0"


def test_it_has_no_tools_and_is_compiled(containers: Containers) -> None:
    printed = containers.once("--entrypoint", "python", run=("-c", TOOLS))
    user, tools, modules, uncompiled = printed.split("\n")[:4]
    assert int(user) == _USER
    assert (tools, modules, uncompiled) == ("", "", "")


def test_extras_are_there(containers: Containers) -> None:
    code = "import mcp, opentelemetry.sdk, phonenumbers, stdnum, py3langid"
    assert containers.once("--read-only", "--entrypoint", "python", run=("-c", code)) == ""


def test_without_arguments_it_says_what_it_can(containers: Containers) -> None:
    assert "serve" in containers.once("--read-only", run=())


def test_a_container_of_another_user_may_use_the_socket(
    containers: Containers, deployment: dict[str, Any], config: Path, tmp_path: Path
) -> None:
    """An `emptyDir`, as the kubelet makes it for a pod with `fsGroup`."""
    shared = tmp_path / "shared"
    shared.mkdir()
    os.chown(shared, -1, 3000)
    shared.chmod(0o2777)
    socket = ("--volume", f"{shared}:/run/shared")
    args = ("serve", "-c", "/etc/outerloop/outerloop.yaml", "--admin", "127.0.0.1:0")
    containers.start(
        *as_rendered(deployment, config),
        *socket,
        run=(*args, "--bind", "unix:/run/shared/processor.sock"),
    )
    end = time.monotonic() + DEADLINE
    while not (shared / "processor.sock").exists():
        assert time.monotonic() < end
        time.sleep(0.1)
    by_other = ("--read-only", "--user", "101:101", *socket, "--entrypoint", "python")
    assert containers.once(*by_other, run=("-c", CONNECT)) == ""


def python() -> str | None:
    """Return a Python of the version that the image has, where there is one that runs."""
    version = arguments()["PYTHON"].partition(":")[2].partition("-")[0]
    found = shutil.which(f"python{version}")
    return found if found and not failure(found, "-V") else None


def test_the_commands_of_the_image_work_without_an_engine(tmp_path: Path) -> None:
    """In a folder in place of a container."""
    interpreter = python()
    if interpreter is None:
        pytest.skip("no Python of the version that the pinned wheels are for")
    binaries = tmp_path / "bin"
    binaries.mkdir()
    (binaries / "python").symlink_to(interpreter)
    environ = {
        **{name: value for name, value in os.environ.items() if name.startswith("PIP_")},
        "PATH": f"{binaries}{os.pathsep}{os.defpath}",
        "HOME": str(tmp_path),
    }
    for name, text in stages()[0].instructions:
        if name == "COPY":
            *sources, to = text.split()
            for source in sources:
                copy(ROOT / source, tmp_path / to)
        elif name == "RUN":
            command = text.replace("/opt/outerloop", str(tmp_path / "opt"))
            done = subprocess.run(
                command,
                shell=True,
                cwd=tmp_path,
                env=environ,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{command}\n{done.stdout[-1000:]}{done.stderr[-1000:]}"
    shown = subprocess.run(
        [tmp_path / "opt/bin/outerloop", "check", "-c", TRAVEL], check=True, capture_output=True
    )
    assert b"ok" in shown.stdout
    assert not (tmp_path / "opt/bin/pip").exists()


def copy(source: Path, to: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, to, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        # A folder is written with a slash at its end, which `Path` drops.
        to.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, to)
