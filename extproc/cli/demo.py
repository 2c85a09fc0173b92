"""`outerloop demo`: the travel example from agents to answers, with a scripted conversation."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import click

from extproc import names
from extproc.cli import run
from extproc.cli.failures import FAULTS, NOT_STARTED, Failure

_URL: Final = "http://127.0.0.1:8001/v1/chat/completions"
_AGENTS_START_TIMEOUT: Final = 20.0
_TURN_TIMEOUT: Final = aiohttp.ClientTimeout(total=20)


@dataclass(frozen=True, slots=True)
class Turn:
    """One user message and the agent that should get it. `model` asks for an agent by name."""

    text: str
    agent: str
    model: str = "auto"


SCRIPT: Final = (
    Turn("What's the weather in Oslo this weekend?", "weather_agent"),
    Turn("Find me a flight from London to Oslo on Friday.", "flight_agent"),
    Turn("And a hotel near the harbour for two nights, please.", "hotel_agent"),
    Turn("Will it rain on Saturday?", "weather_agent"),
    Turn("Which of these is cheapest?", "flight_agent", model="flight_agent"),
)


def demo(*, keep: bool) -> None:
    """Run the script and raise `Failure` where a turn went wrong; with `keep` leave it running."""
    folder = _example()
    wrong: list[str] = []

    async def meanwhile() -> None:
        async with _agents(folder):
            if keep:
                _say_curl()
                await asyncio.Event().wait()
            wrong.extend(await _converse())

    options = run.Options(
        file=folder / "outerloop.yaml",
        admin="127.0.0.1:0",
        workers=1,
        drain_time=5.0,
        log_level="warning",
        access_log=keep,
    )
    run.up(options, meanwhile)
    if wrong:
        raise Failure("; ".join(wrong), FAULTS)
    if not keep:
        click.echo(f"\nAll {len(SCRIPT)} turns went where they should.")


def _example() -> Path:
    package = Path(__file__).parents[1]
    for folder in (package / "examples" / "travel", package.parent / "examples" / "travel"):
        if folder.is_dir():
            return folder
    raise Failure("the travel example is not installed", NOT_STARTED)


@asynccontextmanager
async def _agents(folder: Path) -> AsyncIterator[None]:
    """Run the sample agents; they are gone when the context ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(folder / "agents.py"),
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        await _wait_for_agents(process)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _wait_for_agents(process: asyncio.subprocess.Process) -> None:
    waiting = {turn.agent for turn in SCRIPT}
    try:
        async with asyncio.timeout(_AGENTS_START_TIMEOUT):
            while waiting and process.stdout is not None:
                line = await process.stdout.readline()
                if not line:
                    raise Failure("the sample agents could not start", NOT_STARTED)
                waiting.discard(line.decode().split()[0])
    except TimeoutError as error:
        raise Failure("the sample agents did not start in time", NOT_STARTED) from error


async def _converse() -> list[str]:
    """Send the script through Envoy; return what went wrong, one text a turn."""
    wrong = []
    messages: list[dict[str, str]] = []
    async with aiohttp.ClientSession(timeout=_TURN_TIMEOUT) as session:
        for number, turn in enumerate(SCRIPT, 1):
            messages.append({"role": "user", "content": turn.text})
            headers, answer = await _ask(session, turn.model, messages)
            messages.append({"role": "assistant", "content": answer})
            _say_turn(number, turn, headers, answer)
            agent = headers.get(names.HEADER_AGENT)
            if agent != turn.agent or not answer:
                wrong.append(f"turn {number} went to {agent}, not to {turn.agent}")
    return wrong


async def _ask(
    session: aiohttp.ClientSession, model: str, messages: list[dict[str, str]]
) -> tuple[Mapping[str, str], str]:
    body = {"model": model, "messages": messages}
    async with session.post(_URL, json=body) as response:
        answer: dict[str, Any] = await response.json(content_type=None)
    choices = answer.get("choices")
    return response.headers, choices[0]["message"]["content"] if choices else ""


def _say_turn(number: int, turn: Turn, headers: Mapping[str, str], answer: str) -> None:
    def header(name: str) -> str:
        return headers.get(name, "?")

    click.echo(f"\n{number}. {click.style(turn.text, bold=True)}")
    click.echo(
        f"   plan {header(names.HEADER_PLAN)}, decided by {header(names.HEADER_SOURCE)}"
        f" (confidence {header(names.HEADER_CONFIDENCE)})"
        f" in {header(names.HEADER_DECISION_MS)} ms"
    )
    click.echo(f"   {answer}")


def _say_curl() -> None:
    body = '{"messages": [{"role": "user", "content": "Find me a flight from London to Oslo."}]}'
    click.echo(f"\nTry:\n  curl -i {_URL} -d '{body}'\n\nCtrl-C stops it.")
