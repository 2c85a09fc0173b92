"""`up` and `serve`: files into a private folder, processes started, a person told when ready."""

from __future__ import annotations

import asyncio
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
from extproc.cli.failures import NOT_STARTED, USAGE, Failure
from extproc.cli.files import read
from extproc.config.load import Loaded
from extproc.config.model.root import Config
from extproc.logs import configure
from extproc.supervisor.addresses import following, require_free
from extproc.supervisor.admin import AdminServer
from extproc.supervisor.child import Child
from extproc.supervisor.envoy import EnvoyAdmin, command, find_binary
from extproc.supervisor.errors import StartError
from extproc.supervisor.stack import Stack, WorkerSettings, stop_event

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


def serve(options: Options, bind: str) -> None:
    """Run workers alone until a signal. Raises `Failure`."""
    try:
        addresses = following(_address(bind, "--bind"), options.workers)
    except ValueError as error:
        raise Failure(f"--bind {bind}: {error}", USAGE) from error
    loaded = _begin(options)
    with _private_folder() as folder:
        try:
            asyncio.run(_serve(options, loaded, folder, addresses))
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
    if options.access_log:
        return loaded
    observability = loaded.config.observability.model_copy(update={"access_log": None})
    config = loaded.config.model_copy(update={"observability": observability})
    return replace(loaded, config=config)


async def _up(options: Options, loaded: Loaded, folder: Path, meanwhile: Meanwhile | None) -> None:
    config = loaded.config
    stop = stop_event()
    binary = find_binary()
    for listener in config.listeners:
        require_free(SocketAddress(listener.address, listener.port), f"listener {listener.name}")
    sockets = tuple(PipeAddress(str(folder / f"w{i}.sock")) for i in range(options.workers))
    admin_socket = folder / "envoy.sock"
    bootstrap = folder / "envoy.yaml"
    egress = PipeAddress(str(folder / "egress.sock"))
    bootstrap.write_text(_bootstrap(config, sockets, PipeAddress(str(admin_socket)), egress))
    envoy = Child("Envoy", command(binary, bootstrap, _ENVOY_LOG_LEVELS[options.log_level]))
    async with AsyncExitStack() as exits:
        envoy_admin = EnvoyAdmin(admin_socket)
        exits.push_async_callback(envoy_admin.close)
        settings = _worker_settings(
            options, _snapshot(folder, loaded.text), sockets, egress, notice=0.0
        )
        stack = Stack(settings, envoy, envoy_admin)
        admin = await _start_admin(exits, stack, options, config)

        async def announce() -> None:
            addresses = await envoy_admin.listener_addresses()
            _say_listeners(config, addresses)
            _say_agents(config)
            click.echo(f"admin     http://{admin}")

        await _run(
            stack, stop, announce, partial(meanwhile, f"http://{admin}") if meanwhile else None
        )


async def _serve(
    options: Options, loaded: Loaded, folder: Path, addresses: tuple[Address, ...]
) -> None:
    config = loaded.config
    stop = stop_event()
    for address in addresses:
        if isinstance(address, SocketAddress):
            require_free(address, "--bind")
    async with AsyncExitStack() as exits:
        settings = _worker_settings(
            options, _snapshot(folder, loaded.text), addresses, None, notice=_DRAIN_NOTICE
        )
        stack = Stack(settings)
        admin = await _start_admin(exits, stack, options, config)

        async def announce() -> None:
            for address in addresses:
                click.echo(f"processor {address}")
            _say_agents(config)
            click.echo(f"admin     http://{admin}")

        await _run(stack, stop, announce, None)


async def _run(
    stack: Stack,
    stop: asyncio.Event,
    announce: Callable[[], Awaitable[None]],
    meanwhile: Callable[[], Awaitable[None]] | None,
) -> None:
    async def when_ready() -> None:
        click.echo(f"outerloop {version('outerloop-extproc')} is ready")
        await announce()
        if meanwhile is not None:
            try:
                await meanwhile()
            finally:
                stop.set()

    await stack.run(stop, when_ready)


def _snapshot(folder: Path, text: str) -> Path:
    """Write the copy that workers read: a file that changes must not split them."""
    path = folder / "outerloop.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def _worker_settings(
    options: Options,
    snapshot: Path,
    bind: tuple[Address, ...],
    egress: Address | None,
    *,
    notice: float,
) -> WorkerSettings:
    return WorkerSettings(
        snapshot=snapshot,
        folder=snapshot.parent,
        file=str(options.file),
        bind=bind,
        egress=egress,
        notice=notice,
        drain_time=options.drain_time,
        log_level=options.log_level,
    )


async def _start_admin(
    exits: AsyncExitStack, stack: Stack, options: Options, config: Config
) -> SocketAddress:
    address: Address = SocketAddress(config.admin.address, config.admin.port)
    if options.admin is not None:
        address = _address(options.admin, "--admin")
    if not isinstance(address, SocketAddress):
        raise Failure("--admin needs host:port", USAGE)
    server = AdminServer(stack)
    bound = await server.start(address)
    exits.push_async_callback(server.close)
    return bound


def _address(text: str, option: str) -> Address:
    try:
        return parse(text)
    except ValueError as error:
        raise Failure(f"{option} {text}: {error}", USAGE) from error


def _bootstrap(
    config: Config, processor: tuple[Address, ...], admin: Address, egress: Address
) -> str:
    from extproc.envoyconf.render.bootstrap import render
    from extproc.envoyconf.topology import Places, build

    return render(build(config, Places(processor, admin, egress)))


def _say_listeners(config: Config, addresses: Mapping[str, SocketAddress]) -> None:
    for listener in config.listeners:
        address = addresses.get(listener.name, SocketAddress(listener.address, listener.port))
        click.echo(f"listener  {listener.name}  http://{address}")


def _say_agents(config: Config) -> None:
    width = max(len(agent.id) for agent in config.agents)
    for agent in config.agents:
        where = agent.url or "" if agent.enabled else "disabled"
        click.echo(f"agent     {agent.id:<{width}}  {where}")
