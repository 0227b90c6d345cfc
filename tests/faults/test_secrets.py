"""Secrets are planted in what a real proxy is told, and every word that it says is searched for them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import boto3
import pytest

from crossfade import AsyncClient, AsyncMigrationClient, CrossfadeError, JobKind, Stage
from crossfade.cli import main as crossfade
from proxy.access.tokens import new_token
from proxy.embedded.child import Child, spawn
from proxy.embedded.ports import run_on_port
from tests.faults.site import _is_serving

ROOT = Path(__file__).parents[2]
SECRET = "planted-{}-7f3a91c2d4"
AWS, PAGES, VALUE, WRONG = (SECRET.format(kind) for kind in ("aws", "pages", "value", "wrong"))
COLLECTIONS = """\
defaults: {{recheck_delays: [0.05, 0.1], redact: [secret], allow_eventual: true}}
collections:
  vault: {{mongodb: "{name}.vault", table: "{name}-vault", partition: tenant, sort: name}}
"""


class Told:
    """Everything that was said, by who said it."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._secrets = secrets
        self.words: dict[str, str] = {}

    def hear(self, who: str, said: object) -> None:
        self.words[who] = self.words.get(who, "") + str(said)

    def leaks(self) -> list[str]:
        return [
            f"{who} tells the {kind}"
            for who, said in self.words.items()
            for kind, secret in self._secrets.items()
            if secret in said
        ]


def environment(
    place: Path, mongodb_uri: str, dynamodb_endpoint: str, name: str, line: str
) -> dict[str, str]:
    """A proxy with a secret in every place that takes one, and with every tongue loosened."""
    grants = 'grants: [{who: "token:ops", role: operator}, {who: "token:ops", role: writer}]'
    files = {"collections.yaml": COLLECTIONS.format(name=name), "tokens": line, "access.yaml": grants}
    for file, text in files.items():
        (place / file).write_text(text)
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("CROSSFADE_")}
    return {
        **inherited,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": AWS,
        "CROSSFADE_MONGODB_URI": mongodb_uri,
        "CROSSFADE_DYNAMODB_ENDPOINT": dynamodb_endpoint,
        "CROSSFADE_COLLECTIONS": str(place / "collections.yaml"),
        "CROSSFADE_CONTROL_DATABASE": f"{name}control",
        "CROSSFADE_PAGE_TOKEN_KEY": PAGES,
        "CROSSFADE_ACCESS": str(place / "access.yaml"),
        "CROSSFADE_STATIC_TOKENS": str(place / "tokens"),
        "CROSSFADE_LOG_LEVEL": "DEBUG",
        "CROSSFADE_LEASE_SECONDS": "2",
    }


async def start(place: Path, given: Mapping[str, str]) -> tuple[str, str, Child]:
    """Addresses of gRPC and of the console, and the process."""

    async def at(port: int) -> tuple[int, Child]:
        command = [sys.executable, "-m", "proxy", "serve", "--listen", f"127.0.0.1:{port}"]
        command += ["--console", f"127.0.0.1:{port + 1 if port < 65_000 else port - 1}"]
        child = spawn("secrets", command, place / "proxy.log", ROOT, given)
        assert await child.wait_until(partial(_is_serving, f"127.0.0.1:{port}"), 60), child.output()
        return port, child

    port, child = await run_on_port(None, at)
    return f"127.0.0.1:{port}", f"http://127.0.0.1:{port + 1 if port < 65_000 else port - 1}/", child


async def diverge(operator: AsyncMigrationClient, client: AsyncClient, table: Any) -> None:
    """Have a document differ in a redacted field, and recorded so."""
    vault = client["vault"]
    await operator.move_stage("vault", Stage.MONGO_PRIMARY, reason="a test", override=True)
    await vault.insert_one({"tenant": "t", "name": "n", "secret": VALUE})
    change = {"UpdateExpression": "SET secret = :v", "ExpressionAttributeValues": {":v": WRONG}}
    await asyncio.to_thread(table.update_item, Key={"tenant": "t", "name": "n"}, **change)
    await operator.wait_for_job(await operator.start_job("vault", JobKind.VERIFY))


async def complain(client: AsyncClient, told: Told) -> None:
    """Requests that are refused, with values that no message may repeat in a log."""
    vault = client["vault"]
    for ask in (
        vault.insert_one({"tenant": "t", "secret": VALUE}),
        vault.insert_one({"tenant": "t", "name": 1, "secret": VALUE}),
        vault.find_one({"secret": VALUE}),
        vault.update_one({"tenant": "t", "name": "n"}, {"$inc": {"secret": 1}}),
    ):
        with pytest.raises(CrossfadeError) as refused:
            await ask
        told.hear("errors", refused.value)


@pytest.mark.timeout(240)
async def test_no_secret_is_ever_told(
    mongodb_uri: str,
    dynamodb_endpoint: str,
    unique_name: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token, line = new_token("ops")
    told = Told({"AWS secret": AWS, "page key": PAGES, "value": VALUE, "other value": WRONG, "token": token})
    given = environment(tmp_path, mongodb_uri, dynamodb_endpoint, unique_name, line)
    address, console, child = await start(tmp_path, given)
    dynamodb: Any = boto3.resource("dynamodb", endpoint_url=dynamodb_endpoint, region_name="us-east-1")
    try:
        async with (
            AsyncMigrationClient(address, token=token) as operator,
            AsyncClient(address, token=token) as client,
        ):
            await diverge(operator, client, dynamodb.Table(f"{unique_name}-vault"))
            await complain(client, told)
            found = await operator.list_divergences(collection="vault")
            assert found, "there is a divergence to be silent about"
            told.hear("divergences", found)
            told.hear("audit", await operator.list_audit_entries())
        async with AsyncClient(address, token=token + "x") as stranger:
            with pytest.raises(CrossfadeError) as unknown:
                await stranger["vault"].find_one({"tenant": "t", "name": "n"})
        told.hear("refusal", unknown.value)
        await ask_console(console, token, told)
        monkeypatch.setenv("CROSSFADE_TOKEN", token)
        for words in (["status"], ["divergences", "--json"], ["audit"], ["status", "vault", "--json"]):
            await asyncio.to_thread(crossfade, [*words, "--address", address])
    finally:
        await child.stop()
        await asyncio.to_thread(_remove, dynamodb, unique_name)
    told.hear("command line", "".join(capsys.readouterr()))
    told.hear("log", child.output())
    assert all(told.words.values()) and len(told.words["log"]) > 1000
    assert told.leaks() == []


async def ask_console(console: str, token: str, told: Told) -> None:
    headers = {"X-Crossfade-Console": "1"}
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        async with session.post(console + "api/sign-in", json={"token": token}, headers=headers) as answer:
            cookie = answer.headers["Set-Cookie"].partition(";")[0]
        for path in ("api/picture", "api/divergences?collection=vault", "api/audit", "api/me", ""):
            async with session.get(console + path, headers={"Cookie": cookie}) as answer:
                assert answer.status == 200
                told.hear("console", await answer.text())


def _remove(dynamodb: Any, name: str) -> None:
    for table in dynamodb.tables.all():
        if table.name.startswith(name):
            table.delete()


def test_a_wrong_password_is_not_repeated(tmp_path: Path, mongodb_uri: str) -> None:
    (tmp_path / "collections.yaml").write_text(COLLECTIONS.format(name="x"))
    host = mongodb_uri.partition("://")[2]
    done = subprocess.run(
        [sys.executable, "-m", "proxy", "prepare", str(tmp_path / "collections.yaml")],
        env={**os.environ, "CROSSFADE_MONGODB_URI": f"mongodb://me:{WRONG}@{host}"},
        capture_output=True, text=True, timeout=120, cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.returncode != 0 and done.stderr
    assert WRONG not in done.stdout + done.stderr
