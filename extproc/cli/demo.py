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
from extproc.plan import StepOutcome

_URL: Final = "http://127.0.0.1:8001/v1/chat/completions"
_AGENTS_START_TIMEOUT: Final = 20.0
_TURN_TIMEOUT: Final = aiohttp.ClientTimeout(total=20)


@dataclass(frozen=True, slots=True)
class Turn:
    """One user message and the plan it should get. `model` asks for an agent by name.

    `begins` starts a new conversation.
    """

    text: str
    plan: tuple[str, ...]
    model: str = "auto"
    begins: bool = False


_WEATHER: Final = "weather_agent"
_FLIGHT: Final = "flight_agent"
_HOTEL: Final = "hotel_agent"

SCRIPT: Final = (
    Turn("What's the weather in Oslo this weekend?", (_WEATHER,)),
    Turn("Find me a flight from London to Oslo on Friday.", (_FLIGHT,)),
    Turn("And a hotel near the harbour for two nights, please.", (_HOTEL,)),
    Turn("What's the weather in Rome, and find me a flight to Rome.", (_WEATHER, _FLIGHT)),
    Turn("Which of these is cheapest?", (_FLIGHT,), model=_FLIGHT),
    Turn(
        "Check the weather in Paris, find me a flight to Paris, and book a hotel in Paris.",
        (_WEATHER, _FLIGHT, _HOTEL),
        begins=True,
    ),
    Turn("Will it rain on Saturday?", (_WEATHER,)),
)


def demo(*, keep: bool) -> None:
    """Run the script and raise `Failure` where a turn went wrong; with `keep` leave it running."""
    folder = _example()
    wrong: list[str] = []

    async def meanwhile(admin: str) -> None:
        async with _agents(folder):
            if keep:
                _say_curl()
                await asyncio.Event().wait()
            wrong.extend(await _converse(admin))

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
    waiting = {agent for turn in SCRIPT for agent in turn.plan}
    try:
        async with asyncio.timeout(_AGENTS_START_TIMEOUT):
            while waiting and process.stdout is not None:
                line = await process.stdout.readline()
                if not line:
                    raise Failure("the sample agents could not start", NOT_STARTED)
                waiting.discard(line.decode().split()[0])
    except TimeoutError as error:
        raise Failure("the sample agents did not start in time", NOT_STARTED) from error


async def _converse(admin: str) -> list[str]:
    """Send the script through Envoy; return what went wrong, one text a turn."""
    wrong = []
    messages: list[dict[str, str]] = []
    async with aiohttp.ClientSession(timeout=_TURN_TIMEOUT) as session:
        for number, turn in enumerate(SCRIPT, 1):
            if turn.begins:
                click.echo("\nA new conversation:")
                messages.clear()
            messages.append({"role": "user", "content": turn.text})
            headers, answer = await _ask(session, turn.model, messages)
            messages.append({"role": "assistant", "content": answer})
            steps = await _steps(session, admin, headers)
            _say_turn(number, turn, headers)
            _say_steps(steps, headers, answer)
            plan = headers.get(names.HEADER_PLAN)
            if plan != ",".join(turn.plan):
                wrong.append(f"turn {number} went to {plan}, not to {','.join(turn.plan)}")
            elif not answer or any(step["outcome"] != StepOutcome.OK for step in steps):
                wrong.append(f"turn {number} was not answered by all of {plan}")
    return wrong


async def _ask(
    session: aiohttp.ClientSession, model: str, messages: list[dict[str, str]]
) -> tuple[Mapping[str, str], str]:
    body = {"model": model, "messages": messages}
    async with session.post(_URL, json=body) as response:
        answer: dict[str, Any] = await response.json(content_type=None)
    choices = answer.get("choices")
    return response.headers, choices[0]["message"]["content"] if choices else ""


async def _steps(
    session: aiohttp.ClientSession, admin: str, headers: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return how the calls of the agents before the last one went."""
    async with session.get(f"{admin}/decisions") as response:
        decisions: list[dict[str, Any]] = await response.json()
    request_id = headers.get(names.HEADER_REQUEST_ID)
    found = (each["steps"] for each in decisions if each["request_id"] == request_id)
    return next(found, [])


def _say_turn(number: int, turn: Turn, headers: Mapping[str, str]) -> None:
    def header(name: str) -> str:
        return headers.get(name, "?")

    click.echo(f"\n{number}. {click.style(turn.text, bold=True)}")
    click.echo(
        f"   plan {header(names.HEADER_PLAN)}, decided by {header(names.HEADER_SOURCE)}"
        f" (confidence {header(names.HEADER_CONFIDENCE)})"
        f" in {header(names.HEADER_DECISION_MS)} ms"
    )


def _say_steps(steps: list[dict[str, Any]], headers: Mapping[str, str], answer: str) -> None:
    for number, step in enumerate(steps, 1):
        told = f"{step['outcome']} in {step['ms']:.1f} ms"
        click.echo(f"   {number}/{len(steps) + 1} {step['agent']}: {told}")
    if steps:
        click.echo(f"   {headers.get(names.HEADER_STEP)} {headers.get(names.HEADER_AGENT)}:")
    click.echo(f"   {answer}")


def _say_curl() -> None:
    body = '{"messages": [{"role": "user", "content": "Find me a flight from London to Oslo."}]}'
    click.echo(f"\nTry:\n  curl -i {_URL} -d '{body}'\n\nCtrl-C stops it.")
