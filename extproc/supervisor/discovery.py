"""Envoy's files: written in an order in which no route ever lacks its cluster, and read back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import Final

from extproc.envoyconf.files import CLUSTERS, LISTENERS, File, Files, is_told
from extproc.supervisor import inotify
from extproc.supervisor.envoy import EnvoyAdmin

log = logging.getLogger(__name__)

_IN_FORCE_WITHIN: Final = 10.0
_WARM_WITHIN: Final = 4.0
"""Seconds: a name that does not resolve must not keep all else from being taken over."""
_POLL: Final = 0.03


class Rejected(Exception):
    """Envoy did not take a file; the message says which, and never what is in it."""


class Discovery:
    """Writes the files of one folder, which must be private, and asks `admin` what came of it."""

    def __init__(self, folder: Path, admin: EnvoyAdmin) -> None:
        self._folder = folder
        self._admin = admin
        self._written: dict[str, File] = {}

    def begin(self, files: Files) -> None:
        """Write everything, for an Envoy that is yet to start. Raises ValueError."""
        inotify.require(len(files.names))
        self._folder.mkdir(mode=0o700, exist_ok=True)
        named = {CLUSTERS: files.clusters, LISTENERS: files.listeners}
        changing = {**files.secrets, **files.endpoints, **files.routes}
        for name, file in {**changing, **named}.items():
            self._write(name, file)

    async def confirm(self) -> None:
        """Return when the Envoy that started has in force what was written for it.

        Raises `Rejected` and OSError.
        """
        told = {name: file.version for name, file in self._written.items() if is_told(name)}
        await self._confirm(told, 0)

    async def apply(self, files: Files) -> None:
        """Bring `files` in force.

        Raises `Rejected`, ValueError, and OSError where Envoy does not answer: with what was there
        before.
        """
        # What is there now goes only in the end.
        inotify.require(len(self._written.keys() | files.names))
        await self._or_as_before(files, self._add(files))

    async def trim(self, files: Files) -> None:
        """Bring `files` in force, which lack what is not needed any more. Raises as `apply`."""
        await self._or_as_before(files, self._take_away(files))

    async def _or_as_before(self, files: Files, work: Awaitable[None]) -> None:
        before = dict(self._written)
        try:
            await work
        except (Rejected, OSError):
            for name in self._changed(before):
                self._write(name, before[name])
            raise
        for name in before.keys() - files.names:
            del self._written[name]
            (self._folder / name).unlink(missing_ok=True)

    async def _take_away(self, files: Files) -> None:
        await self._bring({LISTENERS: files.listeners})
        await self._bring(self._known(files.routes)[0])
        await self._add(files)

    async def _add(self, files: Files) -> None:
        # First of all, as clusters and listeners name them.
        self._write_changed(files.secrets)
        hosts, hosts_of_new = self._known(files.endpoints)
        self._write_changed(hosts_of_new)
        await self._bring({CLUSTERS: files.clusters})
        await self._bring(hosts)
        routes, routes_of_new = self._known(files.routes)
        await self._bring(routes)
        self._write_changed(routes_of_new)
        await self._bring({LISTENERS: files.listeners})

    def _known(self, files: Mapping[str, File]) -> tuple[dict[str, File], dict[str, File]]:
        """Part those that Envoy reads from those of what is yet to come."""
        known = {name: file for name, file in files.items() if name in self._written}
        return known, {name: file for name, file in files.items() if name not in known}

    async def _bring(self, files: Mapping[str, File]) -> None:
        """Write those that changed, and return when Envoy has them in force."""
        changed = {name: files[name].version for name in self._changed(files)}
        if not changed:
            return
        refusals = await self._admin.refused_updates(changed)
        for name in changed:
            self._write(name, files[name])
        await self._confirm(changed, refusals)
        try:
            async with asyncio.timeout(_WARM_WITHIN):
                while await self._admin.is_warming():  # noqa: ASYNC110 - Envoy sends no events
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            log.warning("not all hosts in %s are resolved and checked yet", ", ".join(changed))

    async def _confirm(self, versions: Mapping[str, str], refusals: int) -> None:
        """Return when these are in force; more than so many `refusals` are one of them."""
        names = ", ".join(versions)
        try:
            async with asyncio.timeout(_IN_FORCE_WITHIN):
                while not await self._admin.in_force(versions):
                    if await self._admin.refused_updates(versions) > refusals:
                        raise Rejected(f"Envoy refused {names}: its log says why")
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            raise Rejected(f"Envoy did not take {names} in time") from None

    def _changed(self, files: Mapping[str, File]) -> list[str]:
        return [name for name, file in files.items() if self._written.get(name) != file]

    def _write_changed(self, files: Mapping[str, File]) -> None:
        for name in self._changed(files):
            self._write(name, files[name])

    def _write(self, name: str, file: File) -> None:
        path = self._folder / name
        new = path.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_bytes(file.content)
        new.rename(path)
        self._written[name] = file
