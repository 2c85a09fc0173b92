from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from extproc.config.load import load
from extproc.supervisor.child import Child, Command, Status
from extproc.supervisor.envoy import EnvoyAdmin
from extproc.supervisor.figures import Figures, ListenerFigures
from extproc.supervisor.measuring import measure
from extproc.supervisor.reload import Outcome, Reloads
from extproc.supervisor.stack import Stack

RESPONSES: Mapping[str, int] = {"2xx": 1}
TRAVEL = ListenerFigures(
    "travel",
    RESPONSES,
    active=0,
    connections=0,
    refused=0,
    asked_again=0,
    undecided=0,
)


class FakeAdmin(EnvoyAdmin):
    """Has figures as long as it answers."""

    answers = True

    async def figures(self) -> Figures:
        if not self.answers:
            raise ConnectionError("gone")
        return Figures((), (TRAVEL,))


def reloads_of(stack: Stack) -> Reloads:
    return Reloads(load(stack.snapshot.path, {}).config)


async def lines(stack: Stack, reloads: Reloads) -> list[str]:
    return (await measure(stack, reloads)).decode().splitlines()


async def test_envoys_as_long_as_it_answers(
    make_stack: Callable[..., Stack], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    admin = FakeAdmin(tmp_path / "envoy.sock")
    envoy = Child(Command("envoy", lambda _: ("envoy",)))
    stack = make_stack(envoy=envoy, admin=admin)
    line = 'outerloop_listener_responses_total{listener="travel",status_class="2xx"} 1.0'
    shown = await lines(stack, reloads_of(stack))
    assert line in shown
    assert 'outerloop_deaths_total{process="envoy"} 0.0' in shown
    admin.answers = False
    assert line not in await lines(stack, reloads_of(stack))
    assert "without Envoy's: gone" in caplog.text
    await admin.close()


async def test_the_stacks_own(
    make_stack: Callable[..., Stack], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = make_stack(workers=2)
    stack.workers[0].deaths = 3
    shown = await lines(stack, reloads_of(stack))
    assert 'outerloop_workers{status="down"} 2.0' in shown
    assert 'outerloop_deaths_total{process="worker"} 3.0' in shown
    assert not [line for line in shown if 'process="envoy"' in line]
    monkeypatch.setattr(type(stack.workers[0]), "status", Status.READY)
    assert 'outerloop_workers{status="ready"} 2.0' in await lines(stack, reloads_of(stack))


@pytest.mark.parametrize(("outcome", "successful"), [("applied", 1), ("rejected", 0)])
async def test_how_the_last_reload_ended(
    make_stack: Callable[..., Stack], outcome: str, successful: int
) -> None:
    stack = make_stack()
    reloads = reloads_of(stack)
    name = "outerloop_config_last_reload_successful"
    assert f"{name} 1.0" in await lines(stack, reloads)
    reloads.last = Outcome(outcome, datetime.now(UTC), ())
    assert f"{name} {successful:.1f}" in await lines(stack, reloads)
