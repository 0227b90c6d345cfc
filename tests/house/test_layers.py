"""Who may import whom: the rooms of the proxy, checked on the code's own imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROXY = ROOT / "proxy"

MAY_IMPORT = {
    "core": {"core"},
    "stores/memory": {"core", "stores/memory"},
    "stores/mongo": {"core", "stores/mongo", "faultpoint"},
    "stores/dynamo": {"core", "stores/dynamo", "faultpoint"},
    "flow": {"core", "flow", "faultpoint"},
    "reconcile": {"core", "reconcile", "faultpoint"},
    "assess": {"core", "assess"},
    "cutover": {"core", "cutover", "faultpoint"},
    "api": {"core", "api", "flow", "cutover", "reconcile"},
    "access": {"core", "access"},
    "console": {"core", "console", "flow", "cutover", "reconcile"},
    "gauges": {"core", "flow", "cutover", "reconcile"},
    "config": {"core", "faultpoint", "words"},
    "words": {"core"},
    "telemetry": {"core", "telemetry"},
    "gates": {"core", "access", "config"},
    "clock": {"core"},
    "faultpoint": {"core"},
    "embedded": {"embedded"},
}
"""Rooms by the rooms they may import; `wiring`, `assessment` and `__main__` may import all."""

DRIVERS = {
    "pymongo": {"stores/mongo", "embedded"},
    "boto3": {"stores/dynamo", "embedded"},
    "botocore": {"stores/dynamo", "embedded"},
    "aiohttp": {"stores/dynamo"},
    "grpc": {"api"},
    "google": {"api"},
    "crossfade": {"api"},
    "opentelemetry": {"telemetry"},
    "starlette": {"console"},
    "uvicorn": {"console"},
    "yaml": {"config"},
    "pyspark": {"spark"},
    "jwt": {"access"},
}
"""Third-party packages by the only rooms that may import them."""


def room_of(path: Path) -> str:
    parts = path.relative_to(PROXY).with_suffix("").parts
    if parts[0] == "stores" and len(parts) > 2:
        return "/".join(parts[:2])
    return parts[0]


def room_named(module: str) -> str:
    parts = module.split(".")[1:]
    if parts and parts[0] == "stores" and len(parts) > 1:
        return "/".join(parts[:2])
    return parts[0] if parts else ""


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def sources() -> list[Path]:
    return sorted(PROXY.rglob("*.py"))


def test_there_is_a_house_to_check() -> None:
    rooms = {room_of(path) for path in sources()}
    missing = {room for room in MAY_IMPORT if room not in rooms}
    assert not missing, f"rooms without code: {missing}"
    assert len(sources()) > 40


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PROXY)))
def test_a_module_imports_only_what_its_room_may(path: Path) -> None:
    room = room_of(path)
    for module in imports(path):
        top = module.split(".")[0]
        if top == "proxy" and room in MAY_IMPORT:
            target = room_named(module)
            assert target == "" or target in MAY_IMPORT[room], f"{room} may not import {module}"
        allowed = DRIVERS.get(top)
        assert allowed is None or room in allowed, f"{module} belongs to {allowed}, not to {room}"


@pytest.mark.parametrize("path", sorted((PROXY / "core").glob("*.py")), ids=lambda path: path.name)
def test_core_imports_the_standard_library_and_bson_alone(path: Path) -> None:
    import sys

    for module in imports(path):
        top = module.split(".")[0]
        assert top in sys.stdlib_module_names | {"proxy", "bson"}, f"core may not import {module}"


def test_the_environment_is_read_in_one_place() -> None:
    readers = [
        path
        for path in sources()
        if "os.environ" in path.read_text() or "os.getenv" in path.read_text()
        if room_of(path) not in {"config", "embedded"}
    ]
    assert readers == []


def test_imports_have_no_cycles() -> None:
    graph: dict[str, set[str]] = {}
    for path in sources():
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        graph[name] = {module for module in imports(path) if module.startswith("proxy")}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"a cycle: {' -> '.join((*trail, name))}"
        if name in done or name not in graph:
            return
        for target in sorted(graph[name]):
            if target != name:
                visit(target, (*trail, name))
        done.add(name)

    for name in graph:
        visit(name, ())


def test_no_file_is_too_long_to_open_with_pleasure() -> None:
    long = {str(p.relative_to(ROOT)): n for p in sources() if (n := len(p.read_text().splitlines())) > 400}
    assert long == {}
