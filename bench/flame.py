"""Where the time of a call goes: a flame graph of one proxy under load, taken by py-spy.

    python -m bench.flame [--operation update] [--seconds 20] [--output docs/pictures/dual-write.svg]

py-spy has to be allowed to look into another process: as root, or with ptrace permitted.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import sys
from pathlib import Path

import uvloop

from bench.accounting import cpu_seconds
from bench.contenders import Wire
from bench.crew import Worker
from bench.documents import DOCUMENTS, Operation
from bench.load import Job
from bench.site import Proxy, bring, open_site
from crossfade import Stage

_NAME = "mongo_primary"
_CLIENTS = 8
_PART = 100
_PATIENCE = 10.0  # seconds: a mirror write that is slow because the machine is busy shall be in the picture
_RATE = "400"  # samples a second


async def main() -> int:
    options = _parser().parse_args()
    operation = Operation[options.operation.upper()]
    async with open_site() as site:
        file = site.declare("collections", {_NAME: 0.0}, mirror_timeout=_PATIENCE)
        async with site.proxy(file, "control") as proxy, Worker(Wire, (proxy.address,)) as worker:
            await bring(proxy, {_NAME: Stage.MONGO_PRIMARY})
            await worker.run(Job(_NAME, {Operation.INSERT: 1.0}, DOCUMENTS, 16, keys=DOCUMENTS))
            return await _watch(proxy, worker, operation, options.seconds, options.output)


async def _watch(proxy: Proxy, worker: Worker, operation: Operation, seconds: int, output: Path) -> int:
    """Keep the proxy busy for as long as py-spy looks at it; py-spy's exit code."""
    output.parent.mkdir(parents=True, exist_ok=True)
    spy = await asyncio.create_subprocess_exec(*_command(proxy, seconds, output))
    before, calls = cpu_seconds(proxy.pid), 0
    while spy.returncode is None:
        await worker.run(Job(_NAME, {operation: 1.0}, _PART, _CLIENTS))
        calls += _PART
    if output.suffix == ".svg" and not spy.returncode:
        await asyncio.to_thread(_entitle, output, f"One proxy, {operation.value}s in MONGO_PRIMARY")
    print(f"{calls} calls, {(cpu_seconds(proxy.pid) - before) / calls * 1e6:.0f} us of CPU each")
    return spy.returncode


def _entitle(picture: Path, title: str) -> None:
    """Have it say what it is, instead of the command that drew it."""
    drawn = picture.read_text()
    picture.write_text(re.sub(r'(<text id="title"[^>]*>)[^<]*', lambda at: at[1] + title, drawn, count=1))


def _command(proxy: Proxy, seconds: int, output: Path) -> tuple[str, ...]:
    found = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or "py-spy"
    kind = "flamegraph" if output.suffix == ".svg" else "raw"
    target = ("--pid", str(proxy.pid), "--duration", str(seconds), "--output", str(output))
    return (found, "record", "--nonblocking", "--rate", _RATE, "--format", kind, *target)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.flame", description=__doc__.partition("\n")[0])
    parser.add_argument("--operation", default="update", help="read, list, insert, update, reserve, replace")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--output", type=Path, default=Path("docs/pictures/dual-write.svg"))
    return parser


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(main()))
