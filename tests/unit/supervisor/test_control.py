from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from extproc.supervisor import control
from extproc.supervisor.control import WorkerFailed
from extproc.supervisor.stack import Snapshot

Start = Callable[[Path], Any]


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    path = tmp_path / "outerloop-2.yaml"
    path.write_text("version: v1")
    return Snapshot(2, path)


async def test_all_workers_decisions_newest_first(tmp_path: Path, fake_worker: Start) -> None:
    """Two workers that answer, and one that is down."""
    sockets = [tmp_path / f"{index}.sock" for index in range(3)]
    for index, socket in enumerate(sockets[:2]):
        worker = await fake_worker(socket)
        worker.decided = {
            "decisions": [
                {"time": time, "filters": ["input"], "exchange": time}
                for time in (f"2026-01-0{index + 2}", "2026-01-01")
            ],
            # The answer to a request of the other worker.
            "answers": {f"2026-01-0{3 - index}": ["output"]},
        }
    found = await control.decisions(sockets)
    assert [each["time"] for each in found] == [
        "2026-01-03",
        "2026-01-02",
        "2026-01-01",
        "2026-01-01",
    ]
    assert [each["filters"] for each in found] == [
        ["input", "output"],
        ["input", "output"],
        ["input"],
        ["input"],
    ]
    assert all("exchange" not in each for each in found)


async def test_a_worker_decides_by_what_it_has_prepared(
    tmp_path: Path, fake_worker: Start, snapshot: Snapshot
) -> None:
    socket = tmp_path / "0.sock"
    worker = await fake_worker(socket)
    with pytest.raises(WorkerFailed, match="generation 2 is not prepared"):
        await control.commit(socket, snapshot)
    await control.prepare(socket, snapshot)
    assert worker.texts == {2: "version: v1"}
    assert await control.state(socket) == {"generation": 1, "older_streams": 0}
    await control.commit(socket, snapshot)
    assert await control.state(socket) == {"generation": 2, "older_streams": 0}


async def test_why_a_worker_refuses_is_passed_on(
    tmp_path: Path, fake_worker: Start, snapshot: Snapshot
) -> None:
    worker = await fake_worker(tmp_path / "0.sock")
    worker.refuses = "filter pii: cannot be made"
    with pytest.raises(WorkerFailed, match=r"^filter pii: cannot be made$"):
        await control.prepare(tmp_path / "0.sock", snapshot)


async def test_a_worker_is_told_which_agents_are_down(tmp_path: Path, fake_worker: Start) -> None:
    worker = await fake_worker(tmp_path / "0.sock")
    await control.tell_down(tmp_path / "0.sock", frozenset("ba"))
    assert worker.down == ["a", "b"]


async def test_a_worker_that_is_gone_has_failed(tmp_path: Path) -> None:
    with pytest.raises(WorkerFailed, match="does not answer"):
        await control.state(tmp_path / "nobody.sock")


async def test_a_worker_that_answers_nonsense_has_failed(tmp_path: Path) -> None:
    runner = web.AppRunner(web.Application())
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "0.sock")).start()
    with pytest.raises(WorkerFailed, match="does not answer"):
        await control.state(tmp_path / "0.sock")
    await runner.cleanup()


class TestToAll:
    async def test_all_are_asked(self) -> None:
        asked: list[Path] = []

        async def ask(socket: Path) -> None:
            asked.append(socket)

        await control.to_all((Path("0"), Path("1")), ask)
        assert sorted(asked) == [Path("0"), Path("1")]

    @pytest.mark.parametrize("failing", [("0",), ("1",), ("0", "1")])
    async def test_one_that_fails_fails_all(self, failing: tuple[str, ...]) -> None:
        async def ask(socket: Path) -> None:
            if str(socket) in failing:
                raise WorkerFailed(f"worker {socket}")

        with pytest.raises(WorkerFailed, match=f"worker {failing[0]}"):
            await control.to_all((Path("0"), Path("1")), ask)


async def test_as_many_decisions_as_are_wanted(tmp_path: Path, fake_worker: Start) -> None:
    sockets = [tmp_path / f"{index}.sock" for index in range(2)]
    for index, socket in enumerate(sockets):
        decided = [{"time": f"{time}{index}", "filters": [], "exchange": ""} for time in (2, 1)]
        (await fake_worker(socket)).decided = {"decisions": decided, "answers": {}}
    assert [each["time"] for each in await control.decisions(sockets, 3)] == ["21", "20", "11"]


async def test_the_first_worker_that_serves_decides_a_text(
    tmp_path: Path, fake_worker: Start
) -> None:
    worker = await fake_worker(tmp_path / "0.sock")
    sockets = [tmp_path / "0.sock", tmp_path / "none.sock"]
    assert await control.route(sockets, "rain?", "l") == {"plan": ["a"]}
    assert worker.tried == [{"text": "rain?", "listener": "l"}]
    worker.refuses = "no agent fits this conversation"
    with pytest.raises(WorkerFailed, match="no agent fits") as failed:
        await control.route(sockets, "rain?", "l")
    assert failed.value.status == 422


async def test_nobody_decides_a_text_where_nobody_serves(tmp_path: Path) -> None:
    for sockets in ([], [tmp_path / "none.sock"]):
        with pytest.raises(WorkerFailed) as failed:
            await control.route(sockets, "rain?", "l")
        assert failed.value.status == 503
