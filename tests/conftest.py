"""What tests of several folders share."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Machines are noisy, and a run that was green must be green again: `--hypothesis-seed=random`
# with `--hypothesis-profile=default` looks further.
settings.register_profile(
    "outerloop", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("outerloop")

SAMPLE_AGENTS = Path(__file__).parents[1] / "examples/travel/agents.py"
COUNT = 3


@contextmanager
def _running(delay: float) -> Iterator[dict[str, str]]:
    options = ["--weather-port=0", "--flight-port=0", "--hotel-port=0", f"--delay={delay}"]
    process = subprocess.Popen(
        [sys.executable, SAMPLE_AGENTS, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield dict(process.stdout.readline().split() for _ in range(COUNT))
    finally:
        process.send_signal(signal.SIGTERM)
        rest = process.communicate(timeout=20)
    assert (process.returncode, rest) == (0, ("", ""))


@pytest.fixture(scope="session")
def sample_agents() -> Callable[[float], AbstractContextManager[dict[str, str]]]:
    """Run the travel agents on free ports, with a delay after each streamed event, in seconds.

    Gives each agent's URL; they must end in silence.
    """
    return _running
