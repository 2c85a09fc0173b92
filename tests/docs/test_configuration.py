"""docs/configuration.md is what its generator writes."""

from __future__ import annotations

import runpy
from pathlib import Path

from extproc.config.schema import sections

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_up_to_date() -> None:
    generator = runpy.run_path(str(DOCS / "generate.py"))
    page = (DOCS / "configuration.md").read_text(encoding="utf-8")
    assert page == generator["page"](), "run `make docs`"


def test_every_key_has_a_row() -> None:
    page = (DOCS / "configuration.md").read_text(encoding="utf-8")
    for key, section in sections():
        heading = f"## `{key}`\n" if key else "## The file\n"
        table = page.partition(heading)[2].partition("\n## ")[0]
        assert [name for name in section.model_fields if f"| `{name}` |" not in table] == []
