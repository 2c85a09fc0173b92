from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from extproc.supervisor.watch import Watch

POLL = 0.001


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "outerloop.yaml"
    path.write_text("old")
    return path


def replace(file: Path) -> None:
    """As editors do it, to a file of the same size."""
    new = file.with_suffix(".new")
    new.write_text("new")
    new.rename(file)


def append(file: Path) -> None:
    with file.open("a") as opened:
        opened.write("er")


def read(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def move_a_link(file: Path) -> None:
    """As Kubernetes does it: the file is behind a link to a folder."""
    folder = file.parent / "..data"
    file.unlink()
    file.symlink_to(folder / file.name)
    for name in ("first", "second"):
        (file.parent / name).mkdir()
        (file.parent / name / file.name).write_text("new")
        folder.unlink(missing_ok=True)
        folder.symlink_to(file.parent / name)


class Polled:
    """The files of a watch. Does something before each look at them, and says that it looked."""

    def __init__(self, *files: Path) -> None:
        self.files = list(files)
        self.before: Iterator[Callable[[], object]] = iter(())
        self.looks: asyncio.Queue[None] = asyncio.Queue()

    def __call__(self) -> list[Path]:
        next(self.before, lambda: None)()
        self.looks.put_nowait(None)
        return self.files

    async def look(self, times: int) -> None:
        while not self.looks.empty():
            self.looks.get_nowait()
        for _ in range(times):
            await self.looks.get()


async def notices(watch: Watch, polled: Polled, times: int = 5) -> bool:
    """Tell whether something has changed that many looks later."""
    changed = asyncio.ensure_future(watch.changed())
    looks = asyncio.ensure_future(polled.look(times))
    await asyncio.wait([changed, looks], return_when=asyncio.FIRST_COMPLETED)
    noticed = changed.done()
    for task in (changed, looks):
        task.cancel()
    await asyncio.wait([changed, looks])
    return noticed


@pytest.mark.parametrize("change", [replace, append, move_a_link, Path.unlink])
async def test_a_file_that_changes_is_noticed(file: Path, change: Callable[[Path], None]) -> None:
    watch = Watch(lambda: [file], POLL)
    change(file)
    await asyncio.wait_for(watch.changed(), 20)


async def test_each_of_several_files_is_watched(file: Path, tmp_path: Path) -> None:
    yet_to_come = tmp_path / "key.pem"
    watch = Watch(lambda: [file, yet_to_come], POLL)
    yet_to_come.write_text("here")
    await asyncio.wait_for(watch.changed(), 20)
    append(file)
    await asyncio.wait_for(watch.changed(), 20)


async def test_a_change_is_noticed_once(file: Path) -> None:
    polled = Polled(file)
    watch = Watch(polled, POLL)
    append(file)
    await asyncio.wait_for(watch.changed(), 20)
    assert not await notices(watch, polled)


async def test_a_file_is_read_when_it_is_no_longer_being_written(file: Path) -> None:
    polled = Polled(file)
    watch = Watch(polled, POLL)
    polled.before = iter([lambda: append(file)] * 4)
    await asyncio.wait_for(watch.changed(), 20)
    assert read(file) == "old" + "er" * 4


async def test_a_change_that_is_known_is_none(file: Path) -> None:
    polled = Polled(file)
    watch = Watch(polled, POLL)
    append(file)
    watch.seen()
    assert not await notices(watch, polled)


async def test_a_change_while_nobody_waits_is_noticed_later(file: Path) -> None:
    polled = Polled(file)
    watch = Watch(polled, POLL)
    assert not await notices(watch, polled)
    append(file)
    await asyncio.wait_for(watch.changed(), 20)


async def test_what_was_changed_and_changed_back_in_between_is_as_it_was(file: Path) -> None:
    aside = file.with_suffix(".aside")
    polled = Polled(file)
    watch = Watch(polled, POLL)
    polled.before = iter([lambda: file.rename(aside), lambda: aside.rename(file)])
    assert not await notices(watch, polled)


async def test_a_file_that_is_watched_from_now_on_has_not_changed(
    file: Path, tmp_path: Path
) -> None:
    """A new configuration names a certificate: who took it over has read both."""
    certificate = tmp_path / "tls.pem"
    certificate.write_text("PEM")
    polled = Polled(file)
    watch = Watch(polled, POLL)
    polled.files.append(certificate)
    assert not await notices(watch, polled)
