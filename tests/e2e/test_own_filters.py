"""The user's own Envoy filters, as docs/deploy/filters.md shows them."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, Process, Stack

CHAT = "/v1/chat/completions"
ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/deploy/filters.md").read_text()
SUPPORT = ROOT / "tests/support"
Run = Callable[..., "Stack"]


def fragment(heading: str) -> str:
    """Return the YAML under a heading of the guide."""
    under = rf"^## {heading}\n.*?^```yaml fragment\n(.*?)^```"
    match = re.search(under, GUIDE, re.MULTILINE | re.DOTALL)
    assert match is not None
    return match[1]


@pytest.fixture
def run(run_stack: Callable[..., Stack], travel_yaml: Callable[..., str]) -> Run:
    def start(heading: str, *replaced: tuple[str, str], listener: str = "") -> Stack:
        own = fragment(heading)
        for old, new in replaced:
            assert old in own
            own = own.replace(old, new)
        return run_stack(travel_yaml(listener, own))

    return start


def ask(stack: Stack, http: httpx.Client, model: str, **headers: str) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return http.post(stack.url + CHAT, json=body, headers=named)


@pytest.mark.slow
def test_a_page_of_the_origin_may_call(run: Run, http: httpx.Client) -> None:
    stack = run("CORS")
    wish = {"access-control-request-method": "POST", "access-control-request-headers": "x-a"}
    ours, other = "https://app.example.com", "https://evil.example.com"
    answer = http.options(stack.url + CHAT, headers={**wish, "origin": ours})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ours
    assert answer.headers["access-control-allow-methods"] == "GET, POST"
    answer = http.options(stack.url + CHAT, headers={**wish, "origin": other})
    assert "access-control-allow-origin" not in answer.headers
    answer = ask(stack, http, "hotel_agent", origin=ours)
    assert answer.json()["agent"] == "hotel_agent"
    assert answer.headers["access-control-allow-origin"] == ours


def test_only_who_has_a_token_gets_in(
    run: Run, http: httpx.Client, tmp_path: Path, echo_agents: dict[str, EchoAgent]
) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [{**public, "kid": "k"}]}))

    def token(**claims: Any) -> str:
        known = {"iss": "https://issuer.example.com", "aud": "agents", "exp": time.time() + 600}
        return "Bearer " + jwt.encode({**known, **claims}, key, "RS256", {"kid": "k"})

    stack = run(
        "JWT",
        ("/etc/outerloop/jwks.json", str(tmp_path / "jwks.json")),
        listener="rules: [{when: {headers: {x-tenant: acme}}, agents: [flight_agent]}]",
    )
    for agent in echo_agents.values():
        agent.forget()
    assert ask(stack, http, "hotel_agent").status_code == 401
    expired = token(exp=time.time() - 600)
    assert ask(stack, http, "hotel_agent", authorization=expired).status_code == 401
    assert ask(stack, http, "hotel_agent", x_tenant="acme").status_code == 401
    assert [agent.requests() for agent in echo_agents.values()] == [[], [], []]

    answer = ask(stack, http, "hotel_agent", authorization=token(), x_tenant="acme")
    assert answer.json()["agent"] == "hotel_agent"
    answer = ask(stack, http, "hotel_agent", authorization=token(tenant="acme"))
    assert answer.json()["agent"] == "flight_agent"
    assert http.get(stack.url + "/healthz").status_code == 200


@pytest.fixture
def authorizer(start_process: type[Process]) -> Iterator[Process]:
    process = start_process(sys.executable, str(SUPPORT / "authorizer.py"))
    yield process
    process.stop()


@pytest.mark.slow
def test_a_service_says_who_may(
    run: Run, http: httpx.Client, authorizer: Process, echo_agents: dict[str, EchoAgent]
) -> None:
    port = authorizer.wait_line(str.isdigit)
    stack = run("External authorization", ("9191", port))
    for agent in echo_agents.values():
        agent.forget()
    answer = ask(stack, http, "hotel_agent", x_api_key="bad")
    assert (answer.status_code, answer.text) == (403, "no")
    assert ask(stack, http, "hotel_agent", x_api_key="good").json()["agent"] == "hotel_agent"
    authorizer.popen.kill()
    authorizer.popen.wait()
    assert ask(stack, http, "hotel_agent", x_api_key="good").status_code == 503
    assert len(echo_agents["hotel_agent"].requests()) == 1


@pytest.mark.slow
def test_one_agent_has_a_limit_of_its_own(run: Run, http: httpx.Client) -> None:
    stack = run("Rate limits")
    statuses = [ask(stack, http, "flight_agent").status_code for _ in range(6)]
    assert statuses == [200] * 5 + [429]
    assert ask(stack, http, "hotel_agent").status_code == 200


@pytest.mark.slow
def test_what_envoy_refuses_is_told_at_the_start(
    travel_yaml: Callable[..., str], tmp_path: Path, start_process: type[Process]
) -> None:
    file = tmp_path / "outerloop.yaml"
    filters = '[{name: x, typed_config: {"@type": "type.googleapis.com/no.Such"}}]'
    more = f"envoy: {{http_filters: {{before_decision: {filters}}}}}"
    file.write_text(travel_yaml(more=more))
    up = start_process(
        *(str(Path(sys.executable).parent / "outerloop"), "up", "-c", str(file)),
        *("--admin", "127.0.0.1:0"),
    )
    assert up.popen.wait(60) == 3
    assert "no.Such" in up.output
    assert "Traceback" not in up.output
    up.stop()
