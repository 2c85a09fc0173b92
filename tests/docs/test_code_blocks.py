"""The documents' code blocks, tested by what stands after their fence; see CONTRIBUTING.md."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import kubernetes_validate
import pytest
import yaml

from extproc.config.load import load
from tests.crds import ABSENT, FOLDER, validate

ROOT = Path(__file__).parents[2]
TRAVEL = ROOT / "examples/travel/outerloop.yaml"
ENVIRONMENT = {
    **os.environ,
    # The outerloop of the Python that runs the tests.
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
}
FENCE = re.compile(r"^```(\w[^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)


class Block(NamedTuple):
    """A code block and where it begins."""

    place: str
    kind: str
    text: str


def blocks() -> Iterator[Block]:
    for page in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]):
        content = page.read_text(encoding="utf-8")
        for match in FENCE.finditer(content):
            line = content.count("\n", 0, match.start()) + 1
            yield Block(f"{page.stem}:{line}", match[1], match[2])


def of_kind(*kinds: str) -> pytest.MarkDecorator:
    found = [pytest.param(block.text, id=block.place) for block in blocks() if block.kind in kinds]
    return pytest.mark.parametrize("text", found)


def run(command: str) -> str:
    result = subprocess.run(
        command, shell=True, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    return result.stdout + result.stderr


def test_blocks_of_each_kind_are_found() -> None:
    kinds = {block.kind for block in blocks()}
    assert kinds == {
        *("yaml", "yaml fragment", "yaml kubernetes", "yaml crds", "console", "bash", "bash stack"),
        *("text", "http", "json", "python", "toml"),  # shown, or compared elsewhere
    }


@of_kind("yaml")
def test_a_whole_file_loads_without_a_warning(text: str, tmp_path: Path) -> None:
    file = tmp_path / "outerloop.yaml"
    file.write_text(text, encoding="utf-8")
    assert load(file, {}).warnings == ()


@of_kind("yaml fragment")
def test_a_fragment_loads_within_the_travel_example(text: str, tmp_path: Path) -> None:
    whole: dict[str, Any] = yaml.safe_load(TRAVEL.read_text(encoding="utf-8"))
    file = tmp_path / "outerloop.yaml"
    for prompt_file in re.findall(r"prompt_file: (\S+)", text):
        (tmp_path / prompt_file).write_text("{routes} {conversation}", encoding="utf-8")
    file.write_text(yaml.safe_dump(whole | yaml.safe_load(text)), encoding="utf-8")
    assert load(file, {}).warnings == ()


@of_kind("yaml kubernetes")
def test_kubernetes_knows_the_objects(text: str) -> None:
    for document in yaml.safe_load_all(text):
        # Native sidecars, and sleeping before the end.
        for version in ("1.30", kubernetes_validate.latest_version()):
            kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.skipif(not FOLDER.is_dir(), reason=ABSENT)
@of_kind("yaml crds")
def test_control_planes_know_the_objects(text: str) -> None:
    validate(yaml.safe_load_all(text))


@of_kind("console")
def test_a_command_prints_what_is_shown(text: str) -> None:
    for command, shown in COMMAND.findall(text):
        printed = run(command)
        checker = doctest.OutputChecker()
        # Columns are as wide as the figures of a run.
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        assert checker.check_output(shown, printed, flags), printed


@of_kind("bash")
def test_targets_and_options_exist(text: str) -> None:
    for command in re.split(r"\n| \| ", re.sub(r" +#.*", "", text)):
        program, _, arguments = command.partition(" ")
        if program == "make":
            assert f"\n{arguments}: " in (ROOT / "Makefile").read_text(encoding="utf-8")
        elif program == "outerloop":
            usage = run(f"outerloop {arguments.partition(' ')[0]} --help")
            options = re.findall(r"(?<!\S)--?[a-z-]+", arguments)
            assert [option for option in options if option not in usage] == []


@pytest.fixture(scope="module")
def listener(
    sample_agents: Callable[[float], AbstractContextManager[dict[str, str]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """Run the travel example on free ports; give the address of its listener."""
    config: dict[str, Any] = yaml.safe_load(TRAVEL.read_text(encoding="utf-8"))
    config["listeners"][0]["port"] = 0
    file = tmp_path_factory.mktemp("travel") / "outerloop.yaml"
    command = ["outerloop", "up", "-c", str(file), "--admin", "127.0.0.1:0"]
    with sample_agents(0) as urls:
        config["agents"] = [{"id": agent, "url": url} for agent, url in urls.items()]
        file.write_text(yaml.safe_dump(config), encoding="utf-8")
        with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as up:
            assert up.stdout is not None
            ready = next(line for line in up.stdout if line.startswith("listener "))
            yield ready.strip().rpartition("/")[2]
            up.terminate()
    assert up.returncode == 0


def test_the_readme_s_request_is_answered_as_shown(listener: str) -> None:
    readme = [block for block in blocks() if block.place.startswith("README:")]
    request = next(block.text for block in readme if block.kind == "bash stack")
    shown = next(block.text for block in readme if block.kind == "http")
    status, *headers = run(request.replace("127.0.0.1:8001", listener)).splitlines()
    # Figures and ids differ from run to run.
    expected_status, *expected = re.sub(r": .*\d.*", ": ", shown).splitlines()
    assert status == expected_status
    assert [line for line in expected if not any(each.startswith(line) for each in headers)] == []


def test_the_minimal_example_is_the_readme_s() -> None:
    readme = [block for block in blocks() if block.place.startswith("README:")]
    shown = next(yaml.safe_load(block.text) for block in readme if block.kind == "yaml")
    assert shown == yaml.safe_load((ROOT / "examples/minimal/outerloop.yaml").read_text())
