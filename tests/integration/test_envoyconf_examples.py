"""`envoy/` is what the examples render to; `make envoy-configs` writes it anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from extproc.cli.render import render

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path.parent.name for path in ROOT.glob("examples/*/outerloop.yaml"))


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_rendered_example_is_up_to_date(example: str, tmp_path: Path) -> None:
    file = ROOT / "examples" / example / "outerloop.yaml"
    render(file, target="bootstrap", directory=tmp_path)
    golden = ROOT / "envoy" / example / "bootstrap.yaml"
    rendered = (tmp_path / "bootstrap.yaml").read_text(encoding="utf-8")
    assert golden.read_text(encoding="utf-8") == rendered, "make envoy-configs"


def test_nothing_is_left_of_examples_that_are_gone() -> None:
    present = sorted(path.parent.name for path in ROOT.glob("envoy/*/bootstrap.yaml"))
    assert present == EXAMPLES
