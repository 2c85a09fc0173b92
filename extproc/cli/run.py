"""`up` and `serve`: files into a private folder, processes started, a person told when ready."""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final

import click

from extproc.address import Address, PipeAddress, SocketAddress, parse
from extproc.certificates import ServerTls
from extproc.cli.failures import NOT_STARTED, USAGE, Failure
from extproc.cli.files import read
from extproc.config.load import Loaded, load
from extproc.config.model.agents import Agent, Variant
from extproc.config.model.root import Config
from extproc.envoyconf.build import Places, build
from extproc.envoyconf.files import Files, Folder
from extproc.envoyconf.secrets import Secret
from extproc.envoyconf.topology import Topology
from extproc.logs import configure
from extproc.supervisor.addresses import following, require_free
from extproc.supervisor.admin import AdminServer
from extproc.supervisor.child import Child, Command
from extproc.supervisor.discovery import Discovery, Rejected
from extproc.supervisor.envoy import EnvoyAdmin, command, find_binary
from extproc.supervisor.errors import StartError
from extproc.supervisor.gateway import Gateway
from extproc.supervisor.health import Health
from extproc.supervisor.reload import Reloader, Reloads
from extproc.supervisor.stack import Signals, Snapshot, Stack, WorkerSettings, signals

log = logging.getLogger(__name__)

_DRAIN_NOTICE: Final = 2.5
"""Seconds a worker serves on after NOT_SERVING: the gateway's health checks run each second."""
_LONGEST_FOLDER: Final = 103 - len("/control-63.sock")
"""Bytes: macOS has 103 for the path of a unix socket, Linux 107."""

_ENVOY_LOG_LEVELS: Final = {"debug": "info", "info": "warn", "warning": "warn", "error": "error"}


@dataclass(frozen=True, slots=True)
class Options:
    """What `up` and `serve` have in common. `admin` None: as the file says.

    `access_log` False silences what the file asks for.
    """

    file: Path
    admin: str | None
    workers: int
    drain_time: float
    log_level: str
    access_log: bool = True


Meanwhile = Callable[[str], Awaitable[None]]
"""What runs while the stack serves, given the admin's URL; the stack drains when it returns."""


def up(options: Options, meanwhile: Meanwhile | None = None) -> None:
    """Run Envoy and workers until a signal or until `meanwhile` ends. Raises `Failure`."""
    loaded = _begin(options)
    with _private_folder() as folder:
        try:
            asyncio.run(_up(options, loaded, folder, meanwhile))
        except StartError as error:
            raise Failure(str(error), NOT_STARTED) from error


def serve(options: Options, bind: str, tls: ServerTls | None = None) -> None:
    """Run workers alone until a signal. Raises `Failure`."""
    try:
        addresses = following(_address(bind, "--bind"), options.workers)
    except ValueError as error:
        raise Failure(f"--bind {bind}: {error}", USAGE) from error
    loaded = _begin(options)
    with _private_folder() as folder:
        try:
            asyncio.run(_serve(options, loaded, folder, addresses, tls))
        except StartError as error:
            raise Failure(str(error), NOT_STARTED) from error


@contextmanager
def _private_folder() -> Iterator[Path]:
    """Make the folder of one run, for its sockets among others. Raises `Failure`."""
    with tempfile.TemporaryDirectory(prefix="outerloop-") as folder:
        if len(os.fsencode(folder)) > _LONGEST_FOLDER:
            raise Failure(
                f"{Path(folder).parent} is too long for unix sockets; set TMPDIR", NOT_STARTED
            )
        yield Path(folder)


def _begin(options: Options) -> Loaded:
    loaded = read(options.file)
    configure(options.log_level)
    return _as_asked(options, loaded)


def _as_asked(options: Options, loaded: Loaded) -> Loaded:
    if options.access_log:
        return loaded
    observability = loaded.config.observability.model_copy(update={"access_log": None})
    config = loaded.config.model_copy(update={"observability": observability})
    return replace(loaded, config=config)


async def _up(options: Options, loaded: Loaded, folder: Path, meanwhile: Meanwhile | None) -> None:
    told = signals()
    binary = find_binary()
    config = loaded.config
    if config.egress.url is not None:
        log.warning("egress.url: has no effect here, where Envoy is ours")
    for listener in config.listeners:
        require_free(SocketAddress(listener.address, listener.port), f"listener {listener.name}")
    settings = WorkerSettings(
        folder=folder,
        file=str(options.file),
        # Two each: the next process of a worker listens before the last one has gone.
        bind=tuple(
            tuple(PipeAddress(str(folder / f"w{index}{turn}.sock")) for turn in "ab")
            for index in range(options.workers)
        ),
        egress=PipeAddress(str(folder / "egress.sock")),
        notice=_DRAIN_NOTICE,
        drain_time=options.drain_time,
        log_level=options.log_level,
    )
    places = Places(
        processor=tuple(address for each in settings.bind for address in each),
        admin=PipeAddress(str(folder / "envoy.sock")),
        egress=settings.egress,
        folder=Folder(str(folder / "envoy"), dynamic=True),
        complete=True,
    )
    async with AsyncExitStack() as exits:
        envoy_admin = EnvoyAdmin(folder / "envoy.sock")
        exits.push_async_callback(envoy_admin.close)
        gateway = Gateway(
            Discovery(folder / "envoy", envoy_admin), partial(build, places=places), _files
        )
        bootstrap = folder / "envoy.yaml"
        argv = command(binary, bootstrap, _ENVOY_LOG_LEVELS[options.log_level], options.drain_time)
        # Takes as long as the workers take to start, so both go on at once.
        write = partial(asyncio.to_thread, _write, gateway, config, bootstrap)
        envoy = Child(Command("Envoy", lambda _: argv, prepare=write))
        stack = Stack(settings, _first_snapshot(folder, loaded), envoy, envoy_admin)

        async def say_listeners() -> None:
            _say_listeners(config, await envoy_admin.listener_addresses())

        running = _Running(options, loaded, stack, gateway, told)
        await running.run(exits, say_listeners, meanwhile)


def _write(gateway: Gateway, config: Config, bootstrap: Path) -> None:
    """Write all that Envoy starts with. Raises `StartError`."""
    # Slow to import, and `serve` does without.
    from extproc.envoyconf.render.bootstrap import render

    try:
        bootstrap.write_text(render(gateway.begin(config)))
    except ValueError as error:
        raise StartError(str(error)) from error


def _files(topology: Topology, secrets: Mapping[str, Secret]) -> Files:
    from extproc.envoyconf.render.discovery import files

    return files(topology, secrets)


async def _serve(
    options: Options,
    loaded: Loaded,
    folder: Path,
    addresses: tuple[Address, ...],
    tls: ServerTls | None,
) -> None:
    told = signals()
    if loaded.config.orchestrator.avoid_unavailable:
        log.warning("orchestrator.avoid_unavailable: has no effect here, where Envoy is not ours")
    for address in addresses:
        if isinstance(address, SocketAddress):
            require_free(address, "--bind")
    settings = WorkerSettings(
        folder=folder,
        file=str(options.file),
        bind=tuple((address,) for address in addresses),
        egress=None,
        notice=_DRAIN_NOTICE,
        drain_time=options.drain_time,
        log_level=options.log_level,
        tls=tls,
    )
    async with AsyncExitStack() as exits:
        stack = Stack(settings, _first_snapshot(folder, loaded))

        async def say_processors() -> None:
            for address in addresses:
                click.echo(f"processor {address}")

        await _Running(options, loaded, stack, None, told).run(exits, say_processors, None)


@dataclass(frozen=True, slots=True)
class _Running:
    options: Options
    loaded: Loaded
    stack: Stack
    gateway: Gateway | None
    told: Signals

    async def run(
        self,
        exits: AsyncExitStack,
        announce: Callable[[], Awaitable[None]],
        meanwhile: Meanwhile | None,
    ) -> None:
        """Run until a signal or the end of `meanwhile`."""
        options, config = self.options, self.loaded.config
        reloads = Reloads(config)
        admin = await _start_admin(exits, AdminServer(self.stack, reloads), options, config)
        reloader = Reloader(
            self.stack,
            lambda: _as_asked(options, load(options.file)),
            reloads,
            self.gateway,
            self.told.reload,
        )

        async def when_ready() -> None:
            await self._confirm()
            click.echo(f"outerloop {version('outerloop-extproc')} is ready")
            await announce()
            _say_agents(config)
            click.echo(f"admin     http://{admin}")
            if meanwhile is None:
                async with asyncio.TaskGroup() as group:
                    group.create_task(reloader.run())
                    if self.stack.admin is not None:
                        group.create_task(Health(self.stack, self.stack.admin, reloads).run())
                return
            try:
                await meanwhile(f"http://{admin}")
            finally:
                self.told.stop.set()

        await self.stack.run(self.told.stop, when_ready)

    async def _confirm(self) -> None:
        """Raise `StartError` where Envoy serves, but not all that it was told to."""
        if self.gateway is None:
            return
        try:
            await self.gateway.confirm()
        except (Rejected, OSError) as error:
            raise StartError(str(error)) from error


def _first_snapshot(folder: Path, loaded: Loaded) -> Snapshot:
    path = folder / "outerloop-1.yaml"
    path.write_text(loaded.text, encoding="utf-8")
    return Snapshot(1, path)


async def _start_admin(
    exits: AsyncExitStack, server: AdminServer, options: Options, config: Config
) -> SocketAddress:
    address: Address = SocketAddress(config.admin.address, config.admin.port)
    if options.admin is not None:
        address = _address(options.admin, "--admin")
    if not isinstance(address, SocketAddress):
        raise Failure("--admin needs host:port", USAGE)
    bound = await server.start(address)
    exits.push_async_callback(server.close)
    return bound


def _address(text: str, option: str) -> Address:
    try:
        return parse(text)
    except ValueError as error:
        raise Failure(f"{option} {text}: {error}", USAGE) from error


def _say_listeners(config: Config, addresses: Mapping[str, SocketAddress]) -> None:
    for listener in config.listeners:
        address = addresses.get(listener.name, SocketAddress(listener.address, listener.port))
        scheme = "https" if listener.tls is not None else "http"
        click.echo(f"listener  {listener.name}  {scheme}://{address}")


def _say_agents(config: Config) -> None:
    width = max(len(agent.id) for agent in config.agents)
    for agent in config.agents:
        click.echo(f"agent     {agent.id:<{width}}  {', '.join(_hosts(agent))}")


def _hosts(agent: Agent) -> Iterator[str]:
    """Yield what to tell of where an agent is."""
    for upstream in agent.variants or (agent,):
        name = f"{upstream.id}: " if isinstance(upstream, Variant) else ""
        first = upstream.endpoints or filter(None, (upstream.url,))
        yield name + " ".join(first)
