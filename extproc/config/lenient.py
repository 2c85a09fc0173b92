"""An environment for those who read a file and need none of its secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


class Lenient(Mapping[str, str]):
    """An environment in which every variable is set: what is rendered has no secret in it anyway.

    `asked` are the variables that the file names, `missing` those that have a placeholder.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.asked: dict[str, None] = {}

    @property
    def missing(self) -> tuple[str, ...]:
        """The variables that are not set."""
        return tuple(name for name in self.asked if name not in self._environ)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str)

    def __getitem__(self, name: str) -> str:
        self.asked[name] = None
        return self._environ.get(name, f"unset-{name}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)
