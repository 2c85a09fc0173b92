"""The script that reads tokens, in Envoy's own Lua, on answers that are cut just so.

What comes at once is nothing that a test could tell a network. A script runs when Envoy loads it,
and what it fails with is printed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from envoy_data_plane.envoy.extensions.filters.http.lua import v3 as lua

from extproc.envoyconf.resources.measures import token_filters

STREAM, OBJECT = "text/event-stream", "application/json"
KIB, MIB = 2**10, 2**20
DRIVER = """
local function said(kind, chunks)
  local noted, copied, number = {}, 0, 0
  local metadata = {set = function(_, _, key, value) noted[key] = value end}
  local info = {dynamicMetadata = function() return metadata end}
  local headers = {get = function(_, name) return name == "content-type" and kind or nil end}
  local function more()
    number = number + 1
    local text = chunks[number]
    return text and {
      length = function() return #text end,
      getBytes = function(_, at, length)
        assert(at >= 0 and length >= 0 and at + length <= #text)
        copied = copied + length
        return text:sub(at + 1, at + length)
      end,
    }
  end
  envoy_on_response({
    headers = function() return headers end,
    streamInfo = function() return info end,
    bodyChunks = function() return more end,
  })
  return ("[%s,%s,%d]"):format(
    noted.input_tokens or "null", noted.output_tokens or "null", copied)
end
"""
START = 'data: {"message": {"usage": {"input_tokens": 3, "output_tokens": 1}}}\n\n'
DELTA = 'data: {"type": "content_block_delta", "delta": {"text": "hi"}}\n\n'
END = 'data: {"usage": {"output_tokens": 5, "iterations": [{"output_tokens": 9}]}}\n\n'
BOTH = '"usage": {"prompt_tokens": 3, "completion_tokens": 5}'
Read = Callable[..., list[tuple[int | None, int | None, int]]]


def bootstrap(script: str) -> dict[str, Any]:
    types = "type.googleapis.com/envoy.extensions.filters"
    manager = {
        "@type": f"{types}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "any",
        "route_config": {},
        "http_filters": [
            {
                "name": "script",
                "typed_config": {
                    "@type": f"{types}.http.lua.v3.Lua",
                    "default_source_code": {"inline_string": script},
                },
            },
            {"name": "router", "typed_config": {"@type": f"{types}.http.router.v3.Router"}},
        ],
    }
    listener = {
        "name": "any",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{"name": "manager", "typed_config": manager}]}],
    }
    return {"static_resources": {"listeners": [listener]}}


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Return what is noted as input and output of each answer, and how many bytes were copied.

    An answer is a list of chunks.
    """
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    envoy = shutil.which("envoy", path=beside)
    assert envoy is not None, "make install puts envoy beside python"
    (each,) = token_filters(count_tokens=True)
    assert each.typed_config is not None
    config = each.typed_config.unpack()
    assert isinstance(config, lua.Lua)
    assert config.default_source_code is not None
    script = config.default_source_code.inline_string

    def run(kind: str, *answers: list[str]) -> list[tuple[int | None, int | None, int]]:
        # Texts are quoted alike in JSON and Lua, as long as they are ASCII.
        lines = [
            f"noted[#noted + 1] = said({kind!r}, {{{','.join(map(json.dumps, chunks))}}})"
            for chunks in answers
        ]
        program = [
            str(script),
            DRIVER,
            "local noted = {}",
            *lines,
            'error(table.concat(noted, "\\t"))',
        ]
        file = tmp_path / "bootstrap.json"
        file.write_text(json.dumps(bootstrap("\n".join(program))))
        command = (envoy, "--mode", "validate", "--log-level", "critical", "-c", str(file))
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        (said,) = [line for line in done.stderr.splitlines() if "script load error" in line]
        noted = said[said.index(": [", said.index("]:")) + 2 :]
        return [tuple(json.loads(one)) for one in noted.split("\t")]

    return run


def counts(read: Read, kind: str, *answers: list[str]) -> set[tuple[int | None, int | None]]:
    return {each[:2] for each in read(kind, *answers)}


def test_wherever_an_answer_is_cut(read: Read) -> None:
    whole = START + DELTA + END
    cuts = [[whole[:at], whole[at:]] for at in range(len(whole) + 1)]
    assert counts(read, STREAM, *cuts, list(whole)) == {(3, 5)}


def test_wherever_it_stands_in_an_object(read: Read) -> None:
    pad = "x" * MIB
    assert counts(read, OBJECT, [pad + BOTH + pad], [pad, BOTH + pad], [pad + BOTH, pad]) == {
        (3, 5)
    }


def test_wherever_it_is_at_the_border_of_two_pieces_of_a_chunk(read: Read) -> None:
    answers = [["x" * (16 * KIB - at) + BOTH + "x" * 40 * KIB] for at in range(len(BOTH) + 2)]
    assert counts(read, OBJECT, *answers) == {(3, 5)}


def test_wherever_it_stands_at_the_beginning_of_a_stream(read: Read) -> None:
    answers = [["x" * at * KIB + BOTH + "y" * MIB] for at in (0, 20, 100, 200, 255)]
    assert counts(read, STREAM, *answers) == {(3, 5)}


def test_of_a_fast_stream_the_ends_of_each_chunk_are_read(read: Read) -> None:
    middle = DELTA * 5_000
    assert len(middle) > 256 * KIB
    answers = [
        [START + middle + END],
        [START + middle + END + DELTA * 100],
        [START, middle, middle + END + "data: [DONE]\n\n"],
        [middle, START + middle, middle + END],
        [middle, START + middle, END + middle],
        *([middle + BOTH[:at], BOTH[at:] + middle] for at in range(len(BOTH) + 1)),
    ]
    assert counts(read, STREAM, *answers) == {(3, 5)}


def test_its_middle_is_not_copied(read: Read) -> None:
    middle = DELTA * 5_000
    ((*noted, copied),) = read(STREAM, [middle, *[middle + BOTH + middle] * 4])
    assert noted == [None, None]
    assert copied < 256 * KIB + 5 * 40 * KIB


@pytest.mark.parametrize("begins", ['"usage": {', '"usage": {"total_tokens": 1, '])
def test_an_endless_object_is_not_kept(read: Read, begins: str) -> None:
    chunks = [f'{begins}"text": "', *["x" * 1000] * 9, '", "input_tokens": 9}']
    ((*noted, copied),) = read(OBJECT, chunks)
    assert noted == [None, None]
    assert copied == len("".join(chunks))
