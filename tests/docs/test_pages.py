"""Tables of the documents that repeat what the code says."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

from extproc import names
from extproc.plan import Source
from extproc.stream import machine

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def test_every_header_is_documented() -> None:
    documented = set(re.findall(r"`(x-outerloop-[a-z-]+)`", (DOCS / "headers.md").read_text()))
    ours = {
        value
        for name, value in vars(names).items()
        if name.startswith("HEADER_") and re.fullmatch(r"x-outerloop-[a-z-]+[a-z]", str(value))
    }
    assert documented == ours


def test_every_source_is_documented() -> None:
    page = (DOCS / "headers.md").read_text()
    assert [source for source in Source if f"`{source.value}`" not in page] == []


def test_the_stream_is_documented_as_it_is() -> None:
    assert machine.__doc__ is not None
    table = machine.__doc__.split("\n\n")[1]
    assert dedent(table) in (DOCS / "design.md").read_text()


def test_every_link_leads_to_a_file() -> None:
    pages = [*ROOT.glob("*.md"), *DOCS.glob("**/*.md")]
    broken = [
        (page.name, link)
        for page in pages
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / link).exists()
    ]
    assert broken == []
