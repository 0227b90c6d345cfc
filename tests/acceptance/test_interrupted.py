"""A demo that is interrupted, and a playground that is taken down, leave no process behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from crossfade import MigrationClient
from examples.playground.place import running
from proxy.embedded.ports import free_port, is_listening

ROOT = Path(__file__).resolve().parents[2]
_PATIENCE = 100.0  # seconds


@pytest.fixture
def environment() -> dict[str, str]:
    """With a mark that every child inherits, and stores of its own."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("CROSSFADE_")}
    return {**own, "CROSSFADE_STORES": "embedded", "CROSSFADE_TEST_MARK": uuid.uuid4().hex}


def marked(environment: dict[str, str]) -> list[str]:
    """The command lines of the living processes with the mark."""
    return [command for command in _commands(environment["CROSSFADE_TEST_MARK"]) if command]


def _commands(mark: str) -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes():
                yield (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue  # it has ended, or is somebody else's


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_cleans_up(environment: dict[str, str], number: signal.Signals) -> None:
    command = [sys.executable, "-u", "-m", "examples.demo", "--documents", "100"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout is not None
        try:
            console = next(line.split()[-1] for line in demo.stdout if "its console at http" in line)
            line = next(line for line in demo.stdout if "MONGO_PRIMARY" in line)
            assert "Is it safe to cut over?" in _page(console), "the console lives while the demo runs"
            assert len(marked(environment)) >= 5, f"stores, proxies and the demo itself run at {line}"
            demo.send_signal(number)
            _, said = demo.communicate(timeout=_PATIENCE)
        finally:
            demo.kill()
    assert demo.returncode == 130
    assert "everything it started is stopped" in said
    assert marked(environment) == []


def test_a_missing_part_is_one_sentence(environment: dict[str, str]) -> None:
    environment |= {"CROSSFADE_MONGODB_URI": f"mongodb://127.0.0.1:{free_port()}/?replicaSet=none"}
    command = [sys.executable, "-m", "examples.demo", "--json"]
    demo = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=_PATIENCE, check=False
    )
    assert demo.returncode == 2
    assert demo.stderr.startswith("demo: No replica set with a primary answers at 127.0.0.1:")
    assert demo.stderr.count("\n") == 1


def test_a_playground_stays_until_it_is_taken_down(environment: dict[str, str]) -> None:
    if found := running():
        pytest.fail(f"a playground is running (pid {found.pid}): make down")
    assert _playground(environment, "up", "--port", str(_two_free_ports())).returncode == 0
    found = running()
    assert found is not None
    try:
        with MigrationClient(found.proxies) as operator:
            assert len(operator.list_collections()) == 4
            assert len(operator.list_replicas()) == 2
        assert ["Is it safe to cut over?" in _page(console) for console in found.consoles] == [True, True]
        again = _playground(environment, "up")
        assert (again.returncode, again.stdout.splitlines()[0]) == (0, "It is running already.")
        assert f"in a browser at\n{found.consoles[0]}" in again.stdout
    finally:
        down = _playground(environment, "down")
    assert (down.returncode, running()) == (0, None)
    assert marked(environment) == []


def test_a_port_that_is_taken_is_one_sentence(environment: dict[str, str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", port := str(free_port())],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as squatter:
        try:
            _await_listener(int(port))
            up = _playground(environment, "up", "--port", port)
        finally:
            squatter.kill()
    assert up.returncode == 2
    assert up.stderr.startswith(f"playground: Port {port} for the proxy is taken")
    assert marked(environment) == []


def _page(console: str) -> str:
    with urllib.request.urlopen(console, timeout=10) as answer:
        return str(answer.read().decode())


def _playground(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "examples.playground", *words]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=_PATIENCE, check=False
    )


def _two_free_ports() -> int:
    """The first of two neighbours that can be listened on: no connection has one of them either."""
    while True:
        port = free_port()
        with contextlib.suppress(OSError):
            for number in (port, port + 1):
                socket.create_server(("127.0.0.1", number)).close()
            return port


def _await_listener(port: int) -> None:
    deadline = time.monotonic() + 10
    while not is_listening("127.0.0.1", port):
        assert time.monotonic() < deadline
        time.sleep(0.02)
