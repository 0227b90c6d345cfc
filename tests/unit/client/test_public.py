"""What `crossfade` offers by its own name, and what it costs who wants the messages alone."""

from __future__ import annotations

import subprocess
import sys

import pytest

import crossfade
from crossfade import public


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()


def test_every_public_name_is_there() -> None:
    for name in public.__all__:
        assert getattr(crossfade, name) is getattr(public, name)
        assert name in dir(crossfade)


def test_a_name_that_is_not_there_is_missed_as_in_any_module() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Clientt'"):
        _ = crossfade.Clientt
    with pytest.raises(ImportError, match="cannot import name"):
        exec("from crossfade import Clientt")


def test_the_messages_alone_load_no_client() -> None:
    assert run("import sys, crossfade.v1.storage_pb2; print('crossfade.client' in sys.modules)") == "False"


@pytest.mark.parametrize("name", ["Client", "errors", "values"])
def test_names_and_modules_are_there_without_an_import_of_their_own(name: str) -> None:
    assert name in run(f"import crossfade; print(crossfade.{name})")


def test_a_proxy_loads_neither_client_nor_botocore_nor_keys_of_issuers_to_start() -> None:
    """Botocore is loaded beside what else a start waits for, the others only where they are needed."""
    code = "import sys, proxy.__main__, proxy.wiring, proxy.gates; print(*sys.modules, sep='\\n')"
    dear = {"crossfade.client", "botocore", "jwt", "cryptography", "opentelemetry"}
    assert not dear & set(run(code).splitlines())
