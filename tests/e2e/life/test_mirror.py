"""Copies of requests: what arrives, and that the client knows nothing of them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Seen, Stack
    from tests.e2e.life.conftest import Host, Load

YAML = """
version: v1
agents:
  - {{id: all, url: "{agent}", mirror: {{url: "{copies}"}}}}
  - {{id: quarter, url: "{agent}", mirror: {{url: "{copies}", percent: 25}}}}
  - {{id: none, url: "{agent}", mirror: {{url: "{copies}", percent: 0}}}}
  - {{id: secret, url: "{agent}", access_key: sk-of-the-agent, headers: {{x-team: support}},
      mirror: {{url: "{copies}"}}}}
  - {{id: dead, url: "{agent}", mirror: {{url: "http://127.0.0.1:1"}}}}
  - id: split
    variants:
      - {{id: stable, weight: 1, url: "{agent}"}}
      - {{id: canary, weight: 1, url: "{agent}"}}
    mirror: {{url: "{copies}"}}
observability: {{response_headers: full}}
listeners:
  - name: main
    port: 0
    agents: [{{id: all}}, {{id: quarter}}, {{id: none}}, {{id: secret}}, {{id: dead}},
             {{id: split}}]
"""

LoadOf = Callable[[str], "Load"]
Eventually = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture(scope="module")
def both(run_host: Callable[[str], Host]) -> tuple[Host, Host]:
    return run_host("agent"), run_host("copies")


@pytest.fixture
def agent(both: tuple[Host, Host]) -> Host:
    """The agent itself, whom nobody has asked yet."""
    both[0].requests()
    return both[0]


@pytest.fixture
def copies(both: tuple[Host, Host]) -> Host:
    """The mirror, which nobody has sent anything yet."""
    both[1].requests()
    return both[1]


@pytest.fixture(scope="module")
def stack(run_module_stack: Callable[..., Stack], both: tuple[Host, Host]) -> Stack:
    return run_module_stack(YAML.format(agent=both[0].url, copies=both[1].url))


@pytest.fixture
def copied(copies: Host, eventually: Eventually) -> Callable[[int], Awaitable[list[Seen]]]:
    """Wait for so many copies: they may come after the client has its answer."""

    async def wait(count: int) -> list[Seen]:
        came: list[Seen] = []

        def enough() -> bool:
            came.extend(copies.requests())
            return len(came) >= count

        await eventually(enough)
        return came

    return wait


Copied = Callable[[int], Awaitable[list["Seen"]]]


@pytest.mark.parametrize("name", ["all", "split"])
async def test_a_copy_is_as_the_request(
    load: LoadOf, agent: Host, copies: Host, copied: Copied, name: str
) -> None:
    reply = await load(name).ask({"x-tenant": "acme"})
    assert (reply.status, reply.host) == (200, "agent")
    [sent], [copy] = agent.requests(), await copied(1)
    assert copy.body == sent.body
    assert json.loads(copy.body)["model"] == name
    assert (copy.method, copy.target) == (sent.method, sent.target)
    assert copy.header("host") == copies.url.removeprefix("http://")
    assert copy.header("x-tenant") == "acme"


async def test_the_key_of_the_agent_stays_with_it(
    load: LoadOf, agent: Host, copied: Copied
) -> None:
    await load("secret").ask({"authorization": "Bearer of-the-caller"})
    [sent], [copy] = agent.requests(), await copied(1)
    assert sent.all("authorization") == ["Bearer sk-of-the-agent"]
    assert sent.all("x-team") == ["support"]
    assert copy.all("authorization") == []
    assert "sk-of-the-agent" not in str(copy)


async def test_so_many_are_copied_as_the_file_says(load: LoadOf, copied: Copied) -> None:
    await load("none").send(200)
    await load("quarter").send(400)
    # By then the copies of what went before have come.
    await load("all").send(50)
    models = [json.loads(copy.body)["model"] for copy in await copied(100)]
    assert models.count("none") == 0
    # Five standard deviations of a binomial.
    assert abs(models.count("quarter") - 100) < 5 * (400 * 0.25 * 0.75) ** 0.5


async def test_a_dead_mirror_changes_nothing(load: LoadOf, agent: Host) -> None:
    replies = await load("dead").send(100)
    assert {(reply.status, reply.host) for reply in replies} == {(200, "agent")}
    assert len(agent.requests()) == 100


@pytest.mark.parametrize("wish", ["x-test-hold", "x-test-abort"])
async def test_a_mirror_that_hangs_or_breaks_off_changes_nothing(
    load: LoadOf, copied: Copied, wish: str
) -> None:
    headers = {wish: "now", "x-test-at": "copies"}
    replies = await load("all").send([headers] * 100)
    assert {(reply.status, reply.host) for reply in replies} == {(200, "agent")}
    assert len(await copied(100)) == 100
