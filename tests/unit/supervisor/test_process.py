from __future__ import annotations

import signal
import sys

import pytest

from extproc.supervisor.process import Process, Status, describe

READS = "import sys; sys.stdin.read(); sys.exit(3)"


async def start(code: str, *, control: bool = True, **environ: str) -> Process:
    return await Process.start((sys.executable, "-c", code), environ, control=control)


async def test_it_says_objects_a_line_each_until_it_says_nothing_more() -> None:
    process = await start('print(\'{"a": 1}\\n{"b": 2}\')')
    assert process.status is Status.STARTING
    assert [word async for word in process.words()] == [{"a": 1}, {"b": 2}]
    assert await process.wait() == 0


@pytest.mark.parametrize("stray", ["'x' * 100_000", "'[1]'", "'not JSON'", "chr(233) * 3", "''"])
async def test_what_a_library_prints_is_not_its_word(stray: str) -> None:
    process = await start(f"print({stray}); print('{{\"a\": 1}}')")
    assert [word async for word in process.words()] == [{"a": 1}]
    await process.wait()


async def test_without_control_it_has_nothing_to_say_and_nothing_to_read() -> None:
    process = await start(READS, control=False)
    assert [word async for word in process.words()] == []
    assert await process.wait() == 3


async def test_it_has_the_environment_that_it_is_given_and_no_other() -> None:
    has = "dict(has=[os.environ.get('X'), 'HOME' in os.environ])"
    process = await start(f"import json, os; print(json.dumps({has}))", X="1")
    assert [word async for word in process.words()] == [{"has": ["1", False]}]
    await process.wait()


async def test_it_is_asked_to_end_by_a_signal_or_by_the_end_of_its_input() -> None:
    by_signal, by_input = await start(READS), await start(READS)
    by_signal.ask_to_end(by_signal=True)
    assert await by_signal.wait() == -signal.SIGTERM
    by_input.ask_to_end(by_signal=False)
    assert await by_input.wait() == 3


async def test_without_an_input_it_is_asked_by_a_signal_all_the_same() -> None:
    process = await start("import time; time.sleep(600)", control=False)
    process.ask_to_end(by_signal=False)
    assert await process.wait() == -signal.SIGTERM


async def test_what_has_ended_can_be_asked_and_killed_and_keeps_its_id_and_code() -> None:
    process = await start("raise SystemExit(7)")
    pid = process.pid
    assert await process.wait() == 7
    process.ask_to_end(by_signal=True)
    await process.kill()
    assert (process.pid, await process.wait()) == (pid, 7)


async def test_it_is_gone_once_it_was_killed() -> None:
    process = await start(READS)
    await process.kill()
    assert await process.wait() == -signal.SIGKILL


async def test_it_has_no_part_in_the_terminals_signals() -> None:
    """Ctrl-C goes to a whole process group."""
    code = "import json, os; print(json.dumps({'leads': os.getpgrp() == os.getpid()}))"
    process = await start(code)
    assert [word async for word in process.words()] == [{"leads": True}]
    await process.wait()


def test_an_end_is_described_by_its_code_or_the_name_of_its_signal() -> None:
    assert describe(0) == "exit code 0"
    assert describe(7) == "exit code 7"
    assert describe(-9) == "SIGKILL"
    assert describe(-200) == "signal 200"
