"""Prompts that are kept because the file says so, as cases for `outerloop eval`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack

OUTERLOOP = str(Path(sys.executable).parent / "outerloop")
TEXTS = {"Find me a flight to Oslo": "flight_agent", "Will it rain in Oslo?": "weather_agent"}


def test_decisions_become_cases_that_can_be_evaluated(
    run_stack: Callable[..., Stack], travel_yaml: Callable[..., str], tmp_path: Path
) -> None:
    yaml = travel_yaml(more="filters: [{id: pii, type: builtin, use: pii}]")
    yaml = yaml.replace("port: 0", "port: 0\n    input_filters: [pii]")
    stack = run_stack(yaml + "\nobservability: {capture_prompts: true}\n", "--workers", "2")
    for text in (*TEXTS, "Write to me@example.com about flights"):
        body = {"messages": [{"role": "user", "content": text}]}
        answer = httpx.post(f"{stack.url}/v1/chat/completions", json=body, timeout=30)
        assert answer.status_code == 200
    shown = httpx.get(f"{stack.admin}/decisions", timeout=30).json()
    assert [each["messages"][-1]["content"] for each in shown[1:]] == list(reversed(TEXTS))
    # It is kept as it was decided: behind the filters.
    assert "me@example.com" not in str(shown)
    told = httpx.get(f"{stack.admin}/decisions?format=cases", timeout=30)
    cases, file = tmp_path / "cases.jsonl", tmp_path / "outerloop.yaml"
    cases.write_text(told.text)
    file.write_text(yaml)
    assert len(told.text.splitlines()) == 3
    result = subprocess.run(
        [OUTERLOOP, "eval", "-c", str(file), str(cases)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "exact" in result.stdout
