from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import anthropic
import openai
import pytest

from extproc.apis.api import decode
from extproc.conversation import Conversation


@dataclass(frozen=True)
class Limits:
    max_json_depth: int = 10
    max_conversation_messages: int = 4


@pytest.fixture
def limits() -> Limits:
    return Limits()


@pytest.fixture
def decode_json(limits: Limits) -> Callable[..., Conversation]:
    """Decode a body given as members."""

    def run(path: str, /, **members: object) -> Conversation:
        return decode(path, json.dumps(members).encode(), limits)

    return run


@pytest.fixture
def sse() -> Callable[..., bytes]:
    """A stream of events, each given by its data."""

    def run(*events: object, done: bool = False) -> bytes:
        data = [json.dumps(event) for event in events] + ["[DONE]"] * done
        return "".join(f"data: {each}\n\n" for each in data).encode()

    return run


@pytest.fixture(scope="session")
def travel() -> ModuleType:
    """The sample agents: how a service written to the three APIs' references answers."""
    path = Path(__file__).parents[3] / "examples/travel/agents.py"
    spec = importlib.util.spec_from_file_location("travel_agents", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look up the names in their annotations
    spec.loader.exec_module(module)
    return module


def answering_client(client_class: Any, status: int, body: bytes) -> Any:
    """An HTTP client of an SDK whose every request is answered so, without a network."""
    library = importlib.import_module(client_class.__base__.__module__.partition(".")[0])
    headers = {"content-type": "application/json"}
    return client_class(
        transport=library.MockTransport(
            lambda _: library.Response(status, content=body, headers=headers)
        )
    )


@pytest.fixture
def openai_client() -> Callable[[int, bytes], openai.OpenAI]:
    return lambda status, body: openai.OpenAI(
        api_key="none",
        base_url="http://localhost/v1",
        max_retries=0,
        http_client=answering_client(openai.DefaultHttpxClient, status, body),
    )


@pytest.fixture
def anthropic_client() -> Callable[[int, bytes], anthropic.Anthropic]:
    return lambda status, body: anthropic.Anthropic(
        api_key="none",
        base_url="http://localhost",
        max_retries=0,
        http_client=answering_client(anthropic.DefaultHttpxClient, status, body),
    )
