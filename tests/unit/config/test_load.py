from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.config.load import MAX_FILE_BYTES, ConfigError, Fault, Loaded, load, loads
from extproc.config.schema import sections

TEXT = """version: v1
agents: [{id: a, url: "$URL"}]
listeners: [{name: l, port: $PORT, agents: [{id: a}]}]
"""
ENVIRON = {"URL": "http://h", "PORT": "8001"}


def test_a_file_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "outerloop.yaml"
    path.write_text(TEXT.replace('"}', '", tls: {ca: ca.pem}}'), encoding="utf-8")
    loaded = load(path, {**ENVIRON, "URL": "https://h"})
    assert loaded.warnings == ()
    assert loaded.config.agents[0].url == "https://h"
    assert loaded.config.agents[0].tls.ca == str(tmp_path / "ca.pem")
    assert loaded.config.listeners[0].port == 8001


def test_the_environment_is_the_process_s_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    assert loads(TEXT, "f").config.listeners[0].port == 8001


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(TEXT, encoding="utf-8-sig")
    assert load(path, ENVIRON).config.version == "v1"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"version: v1\n# caf\xe9\n", "2:6: not UTF-8 from here on"),
        ("version: v1\n".encode("utf-16"), "1:1: not UTF-8 from here on"),
        (b"", "1:1: the file is empty"),
        (b"#" * (MAX_FILE_BYTES + 1), "1:1: larger than 4 MiB"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert str(caught.value) == f"{path}:{expected}"


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="1:1: no such file or directory"):
        load(tmp_path / "none.yaml", {})
    with pytest.raises(ConfigError, match="1:1: is a directory"):
        load(tmp_path, {})


def test_a_variable_that_is_not_set_is_a_fault(expect_errors: Callable[..., None]) -> None:
    expect_errors(
        TEXT.replace('"$', '►"$').replace("$PORT", "►$PORT"),
        "agents[0].url: the environment variable URL is not set",
        "listeners[0].port: the environment variable PORT is not set",
    )


def test_an_unfinished_variable_is_a_fault(expect_errors: Callable[..., None]) -> None:
    text = TEXT.replace("$PORT", "►'${PORT'")
    expect_errors(text, "`${` needs a name", environ=ENVIRON)


def test_variables_of_keys_without_effect_need_not_be_set(
    expect_warnings: Callable[..., None],
) -> None:
    expect_warnings(
        """version: v1
►mode: ►$NOT_SET
agents:
  - {id: a, url: http://h}
  - {id: b, enabled: false, url: ►$NOT_SET}
listeners: [{name: l, port: 1, agents: [{id: a}, {id: b}]}]
""",
        "mode: has no effect here",
        "mode: the environment variable NOT_SET",
        "agents[1].url: the environment variable NOT_SET",
    )


def test_warnings_come_with_errors(read: Callable[..., Loaded]) -> None:
    with pytest.raises(ConfigError) as caught:
        read(TEXT + "mode: llm\nmodes: llm\n", ENVIRON)
    assert [fault.path for fault in caught.value.faults] == ["modes"]
    assert [fault.path for fault in caught.value.warnings] == ["mode"]


def test_a_thousand_agents_fit(read: Callable[..., Loaded]) -> None:
    ids = [f"agent_{number}" for number in range(1000)]
    examples = ["some request to an agent " * 4] * 20
    offered = [{"id": each, "examples": examples} for each in ids]
    file = {
        "version": "v1",
        "agents": [{"id": each, "url": "http://h"} for each in ids],
        "listeners": [{"name": "l", "port": 1, "agents": offered}],
    }
    text = json.dumps(file)
    assert len(text) < MAX_FILE_BYTES
    assert len(read(text).config.agents) == 1000


def test_loading_imports_nothing_heavy() -> None:
    code = (
        "import sys, extproc.config.load;"
        "print([m for m in ('grpc', 'numpy', 'aiohttp', 'envoy_data_plane') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


SECRET = "s3cr3t-v4lue"
KEYS = sorted({name for _, each in sections() for name in each.model_fields} | {"<<", "overrides"})
SCALARS = st.one_of(
    st.sampled_from(["$SECRET", "a", "b", "http://h:1", "v1", "5s", "true", "~", "", "!!set {}"]),
    st.sampled_from(["&x a", "*x", "8001", "-1", ".nan", "agent", "model", "embedded", "$$", "${"]),
    st.integers().map(str),
    st.floats().map(str),
    st.text(max_size=8).map(repr),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(st.tuples(st.sampled_from(KEYS), inner), max_size=6).map(
            lambda pairs: f"{{{', '.join(f'{key}: {value}' for key, value in pairs)}}}"
        ),
    ),
    max_leaves=20,
)


def faults_of(text: str) -> tuple[Fault, ...]:
    try:
        return loads(text, "f", {"SECRET": SECRET}, Path("/base")).warnings
    except ConfigError as error:
        return (*error.faults, *error.warnings)


def check_that_it_loads_or_says_why(text: str) -> None:
    lines = len(text.splitlines()) + 1
    for fault in faults_of(text):
        assert 1 <= fault.line <= lines
        assert fault.column >= 1
        assert SECRET not in str(fault)


@given(st.text(max_size=60))
def test_any_text_loads_or_is_explained(text: str) -> None:
    check_that_it_loads_or_says_why(text)


@given(st.lists(st.tuples(st.sampled_from(KEYS), VALUES), max_size=6))
def test_any_yaml_loads_or_is_explained(entries: list[tuple[str, str]]) -> None:
    check_that_it_loads_or_says_why("".join(f"{key}: {value}\n" for key, value in entries))


@given(st.data())
def test_any_change_of_a_good_file_loads_or_is_explained(data: st.DataObject) -> None:
    whole = Path(__file__).with_name("data") / "whole.yaml"
    lines = whole.read_text(encoding="utf-8").splitlines()
    number = data.draw(st.integers(0, len(lines) - 1))
    key, colon, _ = lines[number].partition(": ")
    lines[number] = f"{key}{colon}{data.draw(VALUES)}"
    check_that_it_loads_or_says_why("\n".join(lines))
