"""Measure the filter `prompt_injection` on texts whose label is known.

usage: prompt_injection.py [--part dev|test|all] [--threshold N] [--misses] PATH [PATH ...]

A PATH is one of:
    FILE.jsonl, FILE.csv   rows of `text` and `label` (1, attack, malicious, injection: an attack),
                           perhaps `lang`; rows of `messages` are conversations without an attack
    FILE.json              a list of texts, all attacks
    DIR                    a folder of source files and documents, none an attack

`dev` and `test` are the halves by the first byte of each text's SHA-256: the rules were written on
`dev`. Folders are not halved.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from extproc.filters.builtin.injection.rules import SIGNS, find

ATTACK = ("1", "attack", "malicious", "injection", "jailbreak")
DOCUMENTS = (".py", ".md", ".rst", ".txt", ".html")


@dataclass(frozen=True)
class Sample:
    """A text, and whether it is an attack."""

    text: str
    attack: bool
    source: str
    language: str = "en"

    @property
    def part(self) -> str:
        """Which half it is in."""
        return "test" if hashlib.sha256(self.text.encode()).digest()[0] % 2 else "dev"


def read(path: Path) -> Iterator[Sample]:
    """Yield the samples of a file or a folder."""
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.suffix in DOCUMENTS and file.is_file():
                yield Sample(file.read_text(errors="replace"), attack=False, source=path.name)
    elif path.suffix == ".json":
        for text in json.loads(path.read_text()):
            yield Sample(text, attack=True, source=path.name)
    elif path.suffix == ".csv":
        with path.open(newline="") as lines:
            for row in csv.DictReader(lines):
                yield from from_row(row, path.name)
    else:
        for line in path.read_text().splitlines():
            yield from from_row(json.loads(line), path.name)


def from_row(row: dict[str, Any], source: str) -> Iterator[Sample]:
    """Yield the samples of a row."""
    if "messages" in row:
        for message in row["messages"]:
            yield Sample(message["content"], attack=False, source=source)
    else:
        attack = str(row["label"]).lower() in ATTACK
        yield Sample(row["text"], attack, source, row.get("lang", "en"))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--part", choices=("dev", "test", "all"), default="test")
    parser.add_argument("--threshold", type=float, default=1)
    parser.add_argument("--misses", action="store_true", help="also print what was got wrong")
    parser.add_argument("paths", nargs="+", type=Path)
    options = parser.parse_args()
    counts: Counter[tuple[str, str, bool, bool]] = Counter()
    rules: Counter[tuple[str, bool]] = Counter()
    characters, seconds = 0, 0.0
    for path in options.paths:
        for sample in read(path):
            if options.part not in ("all", sample.part) and not path.is_dir():
                continue
            started = time.perf_counter()
            found = set(find(sample.text, SIGNS, options.threshold))
            seconds += time.perf_counter() - started
            characters += len(sample.text)
            counts[sample.source, sample.language, sample.attack, bool(found)] += 1
            rules.update((rule, sample.attack) for rule in found)
            if options.misses and bool(found) != sample.attack:
                print(f"{'missed' if sample.attack else sorted(found)}: {sample.text[:160]!r}")
    report(counts, rules)
    print(f"\n{seconds / characters * 1e6:.2f} s for a million characters")


def report(counts: Counter[tuple[str, str, bool, bool]], rules: Counter[tuple[str, bool]]) -> None:
    """Print a table by source and language, one by rule, and the figures of all."""
    print(f"{'source':34}{'language':10}{'attacks':>8}{'found':>8}{'others':>8}{'flagged':>8}")
    for source, language in sorted({key[:2] for key in counts}):
        cells = [counts[source, language, *each] for each in LABELS]
        found, missed, flagged, passed = cells
        row = (found + missed, found, flagged + passed, flagged)
        print(f"{source:34}{language:10}" + "".join(f"{each:8}" for each in row))
    print(f"\n{'rule':34}{'':10}{'':8}{'found':>8}{'':8}{'flagged':>8}")
    for rule in sorted({rule for rule, _ in rules}):
        print(f"{rule:34}{'':10}{'':8}{rules[rule, True]:8}{'':8}{rules[rule, False]:8}")
    found, missed, flagged, passed = (
        sum(count for key, count in counts.items() if key[2:] == each) for each in LABELS
    )
    precision, recall = found / ((found + flagged) or 1), found / ((found + missed) or 1)
    f1 = 2 * precision * recall / ((precision + recall) or 1)
    false_positives = flagged / ((flagged + passed) or 1)
    print(
        f"\nprecision {precision:.3f}  recall {recall:.3f}  F1 {f1:.3f}"
        f"  false positives {false_positives:.3%} of {flagged + passed}"
    )


LABELS = ((True, True), (True, False), (False, True), (False, False))

if __name__ == "__main__":
    main()
