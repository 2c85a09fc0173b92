from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import click
import pytest

from extproc.apis.models import models_body
from extproc.cli.doctor import Page
from extproc.doctor import fixes
from extproc.doctor.examination import Result
from extproc.doctor.probe import Outcome

Run = Callable[..., Any]
Serve = Callable[..., AbstractContextManager[str]]


@pytest.fixture
def listing(answering: Serve) -> Iterator[str]:
    """Somebody who lists our agents, and can do nothing else."""
    models = json.loads(models_body([("weather", ""), ("flights", "")]))
    with answering({"/v1/models": models}) as address:
        yield f"http://{address}"


def test_faults_are_told_with_what_to_change(listing: str, outerloop: Run) -> None:
    result = outerloop("doctor", "--gateway", listing, "--header", "authorization: Bearer s3cret")
    assert (result.code, result.err) == (1, "outerloop: wrong: processor\n")
    lines = result.out.splitlines()
    assert lines[0].startswith("ok       reachable ")
    assert lines[1].startswith(
        "wrong    processor             POST /v1/chat/completions with broken"
    )
    for gateway in ("Envoy: ", "Envoy Gateway: ", "Istio: "):
        assert any(line.startswith(f"         {gateway}") for line in lines)
    assert max(map(len, lines[2:-1])) <= 100
    assert "1 wrong" in lines[-1]
    assert "s3cret" not in result.out


def test_machines_get_the_probes(listing: str, outerloop: Run) -> None:
    result = outerloop("doctor", "--gateway", listing, "--json")
    told = json.loads(result.out)
    assert (result.code, told["ok"], told["prompts"]) == (1, False, 0)
    by_name = {probe["name"]: probe for probe in told["probes"]}
    assert by_name["reachable"].keys() == {"name", "outcome", "seen", "fix"}
    assert by_name["reachable"]["fix"] is None
    assert by_name["processor"]["outcome"] == "wrong"
    assert set(by_name["processor"]["fix"]) == {"means", "envoy", "envoy_gateway", "istio"}
    assert by_name["routing"]["outcome"] == "skipped"


def test_nobody_is_there(outerloop: Run) -> None:
    result = outerloop("doctor", "--gateway", "http://127.0.0.1:1")
    assert result.code == 3
    assert result.err == "outerloop: http://127.0.0.1:1: no connection: Connection refused\n"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--gateway", "127.0.0.1:8001"), "--gateway: must be a URL"),
        (("--gateway", "http://x", "--header", "Bearer s3cret"), "--header: must be 'name: value'"),
        (("--gateway", "http://x", "--header", "a b: s3cret"), "--header: must be an HTTP header"),
        (("--gateway", "http://x", "--header", "a: s3\ncret"), "--header: must be text"),
        (("--gateway", "http://x", "--listener", "travel"), "give -c FILE too"),
        (("--gateway", "http://x", "--envoy-admin", "9901"), "--envoy-admin 9901: expected"),
    ],
)
def test_bad_usage(options: tuple[str, ...], told: str, outerloop: Run) -> None:
    result = outerloop("doctor", *options)
    assert (result.code, result.out) == (2, "")
    assert told in result.err
    assert "s3" not in result.err.replace("'name: value'", "")


def test_files_that_are_none(file: Path, two_listeners: Path, outerloop: Run) -> None:
    assert outerloop("doctor", "--gateway", "http://x", "--cacert", str(file)).code == 2
    result = outerloop("doctor", "--gateway", "http://x", "-c", str(two_listeners))
    assert (result.code, "one of travel, other" in result.err) == (2, True)


def lines(*results: Result) -> list[str]:
    page = Page()
    told = [line for result in results for line in page.lines(result)]
    return [click.unstyle(line) for line in (*told, *page.rest())]


def test_what_is_skipped_for_one_reason_is_one_line() -> None:
    skipped = [Result(name, Outcome.SKIPPED, "why", None) for name in ("a", "b")]
    other = Result("c", Outcome.SKIPPED, "another", None)
    assert lines(*skipped, other, Result("d", Outcome.OK, "fine", None)) == [
        "skipped  a, b: why",
        "skipped  c: another",
        "ok       d                     fine",
    ]


def test_what_to_change_is_told_once() -> None:
    told = lines(*(Result(name, Outcome.WRONG, "seen", fixes.SLOW) for name in ("a", "b")))
    assert told[0] == "wrong    a                     seen"
    assert told[-2:] == ["wrong    b                     seen", "         See a above."]
    assert sum(fixes.SLOW.means in line for line in told) == 1
