"""The proxy's own command: `python -m proxy serve|work|plan|prepare|assess|export|token`.

Exit codes: 0 all went well, 1 a store or the network refused, 2 the command or the settings are wrong;
those of `assess` and `export` are their own.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

import uvloop

from proxy.access.files import AccessError
from proxy.access.tokens import new_token
from proxy.api.fitting import MEGABYTE
from proxy.api.migration import MigrationServicer
from proxy.api.server import Server, ServerSettings
from proxy.api.storage import StorageServicer
from proxy.config import ConfigError, ProxyConfig, add_flags, load_collections, load_config
from proxy.core.errors import CrossfadeError
from proxy.core.outline import outline
from proxy.faultpoint import arm_all
from proxy.journal import log_to
from proxy.memory import watch_memory
from proxy.telemetry import Silence, TelemetrySettings, open_telemetry

if TYPE_CHECKING:
    from proxy.gates import Gates
    from proxy.telemetry.signals import Telemetry
    from proxy.wiring import App

_log = logging.getLogger("crossfade")
PROGRAM = "python -m proxy"
_OF_THEIR_OWN = {
    "assess": ("proxy.assessment", "read a MongoDB, and say whether and how it can move"),
    "export": (
        "proxy.exportation",
        "write a collection as files for DynamoDB's import from S3, or adopt what was imported",
    ),
}
"""Commands with options, messages and exit codes of their own, in modules that a proxy does not need."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words and words[0] in _OF_THEIR_OWN:
        module, _ = _OF_THEIR_OWN[words[0]]
        return int(import_module(module).main(words[1:], prog=f"{PROGRAM} {words[0]}"))
    options = _parser().parse_args(words)
    try:
        if options.command == "token":
            return make_token(options.name)
        config = _load(options)
        if options.command == "plan":
            return plan(config)
        log_to(level=logging.getLevelName(config.log_level))
        _run(_WORK[options.command](config))
    except ConfigError as error:
        return _complain(2, *error.mistakes)
    except AccessError as error:
        return _complain(2, str(error))
    except (CrossfadeError, OSError) as error:
        return _complain(1, str(error))
    return 0


def plan(config: ProxyConfig) -> int:
    """Print what the collections file makes in both stores; asks neither."""
    for collection in load_collections(config.collections_file):
        print("\n".join(outline(collection)), end="\n\n")
    return 0


def make_token(name: str) -> int:
    """Print a fresh static token, this once, and the line that lets it in."""
    token, line = new_token(name)
    print(f"{token}\n{line}")
    return 0


async def prepare(config: ProxyConfig) -> None:
    """Create what is missing in both stores, and print what was done."""
    from proxy.wiring import build  # here, so that `plan` needs no driver

    app = await build(config, Silence())
    try:
        for line in await app.prepare():
            print(line)
    finally:
        await app.stop()


async def work(config: ProxyConfig) -> None:
    """Work at every backfill and verify that runs, serving nobody, until SIGTERM or SIGINT."""
    from proxy.reconcile.worker import Worker
    from proxy.wiring import open_parts, sites_of

    arm_all(config.faultpoints)
    signals = open_telemetry(_telemetry_of(config))
    parts = open_parts(config, signals)
    worker = Worker(parts.control, sites_of(parts))
    task, told = asyncio.create_task(worker.run(), name="worker"), _told_to_stop()
    try:
        _log.info("worker %s is ready", config.replica_id)
        await asyncio.wait((task, told), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
    finally:
        task.cancel()
        await worker.stop()
        await parts.close()
        await asyncio.to_thread(signals.stop)


async def serve(config: ProxyConfig) -> None:
    """Serve until SIGTERM or SIGINT, then drain."""
    gc.disable()  # while everything is made that lives for ever: nothing of it is garbage
    try:
        await _serve(config)
    finally:
        gc.enable()  # a start that failed has not


async def _serve(config: ProxyConfig) -> None:
    from proxy.gates import kept_fresh, open_gates
    from proxy.wiring import build

    arm_all(config.faultpoints)
    signals = open_telemetry(_telemetry_of(config))
    gates = open_gates(config)
    if signals.page:
        _log.info("metrics are served", extra={"metrics": signals.page})
    app = await build(config, signals)
    try:
        await app.prepare()
        await app.start()
        async with _watched(config, app), kept_fresh(gates), _console_of(config, app, gates):
            await _serve_until_told(_server_of(config, app, signals, gates))
    finally:
        await app.stop()
        await asyncio.to_thread(signals.stop)


def _told_to_stop() -> asyncio.Task[Any]:
    """What ends when SIGTERM or SIGINT comes."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    return asyncio.create_task(told.wait(), name="told")


async def _serve_until_told(server: Server) -> None:
    told = _told_to_stop()
    await server.start()
    gc.freeze()  # no collection need look at it again
    gc.enable()
    await server.become_ready()
    await told
    _log.info("draining")
    await server.drain()


@asynccontextmanager
async def _watched(config: ProxyConfig, app: App) -> AsyncIterator[None]:
    """Within the block, memory counts against what the proxy takes on."""
    if not config.memory_limit:
        yield
        return
    watch = asyncio.create_task(watch_memory(config.memory_limit, app.parts.crowd), name="memory.watch")
    try:
        yield
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


def _server_of(config: ProxyConfig, app: App, signals: Telemetry | Silence, gates: Gates) -> Server:
    max_message = config.max_message * MEGABYTE
    storage = StorageServicer(app.pipeline, config.page_token_key, config.default_deadline, max_message)
    migration = MigrationServicer(
        app.overview,
        app.coordinator,
        app.divergences,
        app.workshop,
        app.mender,
        config.replica_id,
        config.page_token_key,
    )
    settings = ServerSettings(
        config.listen,
        reuse_port=config.reuse_port,
        max_message_size=max_message,
        grace=config.grace_seconds,
    )
    return Server(
        storage,
        migration,
        signals,
        settings,
        door=gates.door,
        certificates=gates.certificates,
        crowd=app.parts.crowd,
    )


@asynccontextmanager
async def _console_of(config: ProxyConfig, app: App, gates: Gates) -> AsyncIterator[None]:
    """The console, served for as long as the block runs; nothing of it is loaded where there is none."""
    if not config.console:
        yield
        return
    from proxy.console.server import open_console

    context = gates.certificates.context() if gates.certificates else None
    async with open_console(app.desk(), config.console, door=gates.door, tls=context):
        yield


def _telemetry_of(config: ProxyConfig) -> TelemetrySettings:
    return TelemetrySettings(
        otlp_endpoint=config.otlp_endpoint,
        prometheus_address=config.prometheus_listen,
        trace_rate=config.trace_rate,
        service_instance=config.replica_id,
    )


_WORK: dict[str, Callable[[ProxyConfig], Coroutine[Any, Any, None]]] = {
    "serve": serve,
    "work": work,
    "prepare": prepare,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, about in (
        ("serve", "serve gRPC until SIGTERM"),
        ("work", "work at every backfill and verify that runs, serving nobody, until SIGTERM"),
        ("plan", "print what the collections file makes in both stores"),
        ("prepare", "create what is missing in both stores"),
    ):
        command = commands.add_parser(name, help=about, description=about)
        command.add_argument("file", nargs="?", help="the collections file, instead of --collections")
        add_flags(command)
    for name, (_, about) in _OF_THEIR_OWN.items():
        commands.add_parser(name, help=about)
    command = commands.add_parser("token", help="print a fresh static token and the line that lets it in")
    command.add_argument("name", help="whose it is")
    return parser


def _load(options: argparse.Namespace) -> ProxyConfig:
    flags = vars(options)
    if options.file is not None:
        flags["collections"] = options.file
    return load_config(flags=flags)


def _run(work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)


def _complain(code: int, *sentences: str) -> int:
    for sentence in sentences:
        print(f"proxy: {sentence}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
