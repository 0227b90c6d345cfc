"""Signing in to the console: sessions, cookies, roles, and what another site cannot do."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from proxy.access.certificates import Certificates, TlsFiles
from proxy.console.actions import MOVES, STARTS
from proxy.console.server import Console, open_console
from proxy.console.sessions import IDLE, MOST, Sessions
from proxy.core.stage import Stage
from tests.fixtures.authority import Authority
from tests.fixtures.doors import Doorway, doorway
from tests.fixtures.memory_world import World, world
from tests.unit.console.counter import FOR_REAL, NAME, OURS

API = ("api/me", "api/picture", "api/live", "api/audit", "api/divergences", f"api/history/{NAME}")


@dataclass(frozen=True)
class Desk:
    world: World
    console: Console
    way: Doorway
    session: aiohttp.ClientSession

    async def get(self, path: str, cookie: str = "") -> tuple[int, Any]:
        headers = {"Cookie": cookie} if cookie else {}
        async with self.session.get(self.console.url + path, headers=headers) as answer:
            return answer.status, await answer.json()

    async def post(self, path: str, body: Any, cookie: str = "", **headers: str) -> tuple[int, Any, str]:
        sent = OURS | headers | ({"Cookie": cookie} if cookie else {})
        async with self.session.post(self.console.url + path, json=body, headers=sent) as answer:
            return answer.status, await answer.json(), answer.headers.get("Set-Cookie", "")

    async def sign_in(self, token: str) -> str:
        """The cookie of whoever shows the token."""
        status, _, cookie = await self.post("api/sign-in", {"token": token})
        assert status == 200
        return cookie.partition(";")[0]


@asynccontextmanager
async def opened(place: Path) -> AsyncIterator[Desk]:
    way = doorway(place)
    async with (
        world(Stage.MONGO_PRIMARY) as behind,
        open_console(behind.app.desk(), "127.0.0.1:0", door=way.door) as console,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
    ):
        yield Desk(behind, console, way, session)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with opened(tmp_path) as one:
        yield one


async def test_without_a_session_there_is_the_page_and_nothing_else(desk: Desk) -> None:
    async with desk.session.get(desk.console.url) as answer:
        assert answer.status == 200
    for path in API:
        status, told = await desk.get(path)
        assert status == 401 and told["error"]["reason"] == "NOT_SIGNED_IN", path
    status, _, _ = await desk.post(f"api/collections/{NAME}/start-verify", FOR_REAL)
    assert status == 401 and not await desk.world.app.control.job(NAME, "verify")


async def test_the_cookie_is_for_this_host_and_out_of_reach_for_scripts(desk: Desk) -> None:
    _, _, cookie = await desk.post("api/sign-in", {"token": desk.way.tokens["ops"]})
    name, *attributes = cookie.split("; ")
    assert name.startswith("__Host-crossfade=") and len(name) > 50
    assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} == set(attributes)
    assert desk.way.tokens["ops"] not in cookie


async def test_who_has_signed_in_is_called_by_their_name(desk: Desk) -> None:
    cookie = await desk.sign_in(desk.way.tokens["ops"])
    assert (await desk.get("api/me", cookie))[1] == {"name": "token:ops", "isSignedIn": True}
    wish = FOR_REAL | {"actor": "the president"}
    status, told, _ = await desk.post(f"api/collections/{NAME}/unmirror", wish, cookie)
    assert status == 200 and told["executed"]
    (entry, *_) = await desk.world.app.control.audit(NAME, 5)
    assert entry.actor.startswith("token:ops (console, ")


@pytest.mark.parametrize("body", [{}, {"token": ""}, {"token": 1}, [], {"token": "nonsense"}])
async def test_what_is_no_token_opens_nothing(desk: Desk, body: Any) -> None:
    status, told, cookie = await desk.post("api/sign-in", body)
    assert status in (400, 401) and cookie == "" and "nonsense" not in str(told)


async def test_somebody_without_a_role_does_not_come_in(desk: Desk) -> None:
    status, _, cookie = await desk.post("api/sign-in", {"token": desk.way.tokens["stranger"]})
    assert status == 403 and cookie == ""


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"X-Crossfade-Console": ""}, {"Origin": "http://evil.example"}],
)
@pytest.mark.parametrize("path", ["api/sign-in", "api/sign-out", f"api/collections/{NAME}/unmirror"])
async def test_another_site_orders_nothing_with_somebodys_session(
    desk: Desk, path: str, headers: dict[str, str]
) -> None:
    cookie = await desk.sign_in(desk.way.tokens["ops"])
    status, _, fresh = await desk.post(path, FOR_REAL | {"token": desk.way.tokens["ops"]}, cookie, **headers)
    assert status in (400, 403) and fresh == ""
    assert not await desk.world.app.control.audit("", 5)
    assert (await desk.get("api/me", cookie))[0] == 200


VERBS = (*MOVES, "abort", *STARTS, "repair")


@pytest.mark.parametrize("verb", VERBS)
async def test_a_reader_sees_and_orders_nothing(desk: Desk, verb: str) -> None:
    cookie = await desk.sign_in(desk.way.tokens["reports"])
    for wish in ({}, FOR_REAL):
        status, told, _ = await desk.post(f"api/collections/{NAME}/{verb}", wish, cookie)
        assert status == 403 and told["error"]["reason"] == "PERMISSION_DENIED"
    assert not await desk.world.app.control.audit("", 5)
    for path in ("api/audit", "api/divergences", f"api/audit?collection={NAME}"):
        assert (await desk.get(path, cookie))[0] == 403
    status, picture = await desk.get("api/picture", cookie)
    assert status == 200 and [one["name"] for one in picture["collections"]] == [NAME]


async def test_a_picture_shows_what_is_theirs_to_see(desk: Desk) -> None:
    cookie = await desk.sign_in(desk.way.signer.sign("bob", groups=["billing"]))
    _, picture = await desk.get("api/picture", cookie)
    assert picture["collections"] == [] and picture["replicas"][0]["epochs"] == {}
    assert (await desk.get(f"api/history/{NAME}", cookie))[0] == 403
    async with desk.session.get(desk.console.url + "api/live", headers={"Cookie": cookie}) as stream:
        async with asyncio.timeout(10):
            while b"event: picture" not in (line := await stream.content.readline()):
                assert NAME.encode() not in line
            assert b'"collections":[]' in await stream.content.readline()


async def test_a_session_ends_with_its_token_and_so_do_its_streams(desk: Desk) -> None:
    cookie = await desk.sign_in(desk.way.tokens["ops"])
    async with desk.session.get(desk.console.url + "api/live", headers={"Cookie": cookie}) as stream:
        assert stream.status == 200
        lines = desk.way.tokens_file.read_text().splitlines()
        fresh = desk.way.tokens_file.with_suffix(".new")
        fresh.write_text("\n".join(line for line in lines if not line.startswith("ops ")))
        os.replace(fresh, desk.way.tokens_file)
        await desk.way.door.refresh()
        status, told = await desk.get("api/picture", cookie)
        assert status == 401 and "sign in again" in told["error"]["message"]
        async with asyncio.timeout(20):
            await stream.content.read()


async def test_signing_out_ends_the_session(desk: Desk) -> None:
    cookie = await desk.sign_in(desk.way.tokens["ops"])
    status, _, emptied = await desk.post("api/sign-out", {}, cookie)
    assert status == 200 and "Max-Age=0" in emptied
    assert (await desk.get("api/me", cookie))[0] == 401


async def test_a_made_up_session_is_none(desk: Desk) -> None:
    await desk.sign_in(desk.way.tokens["ops"])
    for secret in ("", "x", "x" * 43, "x" * 3000):
        assert (await desk.get("api/me", f"__Host-crossfade={secret}"))[0] == 401


async def test_by_tls_the_console_shows_the_newest_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificates = Certificates(TlsFiles(*(str(path) for path in authority.issue("first", file="server"))))
    async with (
        world(Stage.MONGO_ONLY) as behind,
        open_console(behind.app.desk(), "127.0.0.1:0", tls=certificates.context()) as console,
    ):
        assert console.url.startswith("https://127.0.0.1:")
        assert await _shown(console.port, authority) == "first"
        authority.issue("second", file="server")
        assert await _shown(console.port, authority) == "second"


async def _shown(port: int, authority: Authority) -> str:
    context = ssl.create_default_context(cafile=str(authority.file))
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    shown = writer.get_extra_info("ssl_object").getpeercert()
    writer.close()
    return str(dict(part for (part,) in shown["subject"])["commonName"])


def test_sessions_are_over_when_nobody_uses_them_and_bounded() -> None:
    now = 0.0
    sessions = Sessions(lambda: now)
    used, idle = sessions.begin("used"), sessions.begin("idle")
    now = IDLE - 1
    assert sessions.token_of(used) == "used"
    now = IDLE + 1
    assert (sessions.token_of(used), sessions.token_of(idle)) == ("used", None)
    for number in range(MOST):
        sessions.begin(str(number))
    assert sessions.token_of(used) is None
