"""The image as its files describe it; `make test-mesh` builds and runs it."""

from __future__ import annotations

import json
import re
import runpy
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from extproc.manifests.kubernetes import place, workload
from tests.dockerfile import ROOT, Stage, arguments, stages

LOCK = runpy.run_path(str(ROOT / "docker/lock.py"))
PINNED = re.compile(r"([a-z0-9-]+)==(\S+) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)")


@pytest.fixture(scope="module")
def build() -> Stage:
    return stages()[0]


@pytest.fixture(scope="module")
def final() -> Stage:
    return stages()[-1]


def pinned(name: str) -> dict[str, str]:
    """Give the versions of a file that has nothing but pinned versions with their hashes."""
    comment, _, lines = (ROOT / "docker" / name).read_text(encoding="utf-8").partition("\n")
    assert comment.startswith("#")
    assert PINNED.sub("", lines) == ""
    return {name: version for name, version, _ in PINNED.findall(lines)}


def test_the_final_image_runs_as_nobody(final: Stage) -> None:
    [user] = final.all("USER")
    assert user == f"{workload._USER}:{workload._USER}"
    last = max(index for index, each in enumerate(final.instructions) if each.name == "RUN")
    # What runs before it, runs as root.
    assert last < [each.name for each in final.instructions].index("USER")


def test_the_final_image_has_no_tools(final: Stage) -> None:
    assert not re.search(r"apt-get|apk|gcc|make|curl|pip install", " ".join(final.all("RUN")))
    assert "pip uninstall" in " ".join(final.all("RUN"))
    assert list(final.copied()) == []


def test_it_is_the_command(final: Stage) -> None:
    assert [json.loads(each) for each in final.all("ENTRYPOINT")] == [["outerloop"]]
    assert final.all("WORKDIR") == ["/"]
    ports = " ".join(final.all("EXPOSE")).split()
    assert ports == [str(place.PROCESSOR_PORT), str(place.ADMIN_PORT)]


def test_what_is_copied_is_there_and_nothing_else_is_sent(build: Stage) -> None:
    copied = set(build.copied())
    assert [each for each in copied if not (ROOT / each).exists()] == []
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    everything, *rest = [line for line in ignored if not line.startswith("#")]
    assert everything == "*"
    assert {each for each in rest if not each.startswith("!")} == {"**/__pycache__"}
    sent = {each.removeprefix("!") for each in rest if each.startswith("!")}
    assert {path for each in copied for path in ROOT.glob(each)} == {
        path for each in sent for path in ROOT.glob(each)
    }


def test_everything_is_pinned_by_hash() -> None:
    machines = len(LOCK["MACHINES"])
    text = (ROOT / "docker/requirements.txt").read_text(encoding="utf-8")
    hashes = {name: found.count("--hash") for name, _, found in PINNED.findall(text)}
    assert max(hashes.values()) == machines
    assert hashes["grpcio"] == machines
    installs = [each for each in stages()[0].all("RUN") if " install " in each]
    # Our own wheel is built in the step before.
    assert all("--require-hashes" in each or "--no-index" in each for each in installs)


@pytest.mark.parametrize(
    ("name", "wanted"), [("requirements.txt", "requirements"), ("build.txt", "build_requirements")]
)
def test_what_is_pinned_is_what_the_project_wants(name: str, wanted: str) -> None:
    have = pinned(name)
    for text in LOCK[wanted]():
        requirement = Requirement(text)
        version = have.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is missing: run docker/lock.py"
        assert version in requirement.specifier, f"{text}: run docker/lock.py"


def test_every_extra_is_in_the_image_but_envoy() -> None:
    project = pyproject()["project"]
    assert set(project["optional-dependencies"]) - set(LOCK["EXTRAS"]) == {"envoy"}


def test_python_is_the_one_that_was_locked_for() -> None:
    assert arguments()["PYTHON"].startswith(f"python:{LOCK['PYTHON']}-slim")


def test_the_image_says_its_version(final: Stage) -> None:
    assert arguments()["VERSION"] == pyproject()["project"]["version"]
    [labels] = final.all("LABEL")
    for name in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{name}=" in labels


def pyproject() -> dict[str, Any]:
    return tomllib.loads(Path(ROOT / "pyproject.toml").read_text(encoding="utf-8"))
