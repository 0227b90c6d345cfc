"""Who is let in by tokens and certificates, for how long, and what happens when the files change."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization

from proxy.access.files import AccessError
from proxy.access.tokens import digest_of, new_token, read_tokens
from proxy.core.errors import PermissionDenied, Unauthenticated
from proxy.core.identity import Identity, Proof, Role
from tests.fixtures.authority import AUDIENCE, ISSUER
from tests.fixtures.doors import Doorway, doorway


@pytest.fixture
def way(tmp_path: Path) -> Doorway:
    return doorway(tmp_path)


async def identify(way: Doorway, token: str) -> Identity:
    return await way.door.identify(Proof(token))


async def refused(way: Doorway, token: str) -> str:
    with pytest.raises(Unauthenticated) as caught:
        await identify(way, token)
    assert not token or token not in str(caught.value)
    return str(caught.value)


async def test_a_static_token_names_its_owner(way: Doorway) -> None:
    assert await identify(way, way.tokens["app"]) == Identity("token:app")


async def test_a_signed_token_names_subject_and_groups(way: Doorway) -> None:
    token = way.signer.sign("bob", groups=["billing", 7, "ops"])
    assert await identify(way, token) == Identity("jwt:bob", ("billing", "ops"))
    assert await identify(way, way.signer.sign("bob", groups="billing")) == Identity("jwt:bob")


async def test_who_shows_nothing_is_refused(way: Doorway) -> None:
    assert "shows no token" in await refused(way, "")


def tampered(token: str) -> str:
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["sub"] = "root"
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"{head}.{forged}.{signature}"


def unsigned(way: Doorway) -> str:
    return jwt.encode({"sub": "ada", "iss": ISSUER, "aud": AUDIENCE, "exp": time.time() + 60}, "", "none",
                      headers={"kid": way.signer.kid})  # fmt: skip


def confused(way: Doorway) -> str:
    """Signed by HMAC with the public key as its secret, which verifiers without a fixed list accept."""
    pem = (
        way.signer.keys[way.signer.kid]
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    claims = {"sub": "ada", "iss": ISSUER, "aud": AUDIENCE, "exp": time.time() + 60}
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in ({"alg": "HS256", "kid": way.signer.kid}, claims)
    ]
    made = hmac.new(pem, ".".join(parts).encode(), hashlib.sha256).digest()
    return ".".join((*parts, base64.urlsafe_b64encode(made).decode().rstrip("=")))


BAD: dict[str, Callable[[Doorway], str]] = {
    "another token": lambda way: new_token("app")[0],
    "the digest itself": lambda way: digest_of(way.tokens["app"]),
    "cut off": lambda way: way.tokens["app"][:-1],
    "expired": lambda way: way.signer.sign(exp=time.time() - 60),
    "not valid yet": lambda way: way.signer.sign(nbf=time.time() + 60),
    "for ever": lambda way: way.signer.sign(exp=None),
    "of another issuer": lambda way: way.signer.sign(iss="https://evil.example"),
    "for somebody else": lambda way: way.signer.sign(aud="other"),
    "for nobody": lambda way: way.signer.sign(aud=None),
    "of nobody": lambda way: way.signer.sign(sub=None),
    "tampered with": lambda way: tampered(way.signer.sign()),
    "unsigned": unsigned,
    "confused": confused,
    "no token at all": lambda way: "a.b.c",
    "huge": lambda way: "x" * 100_000,
    "surrogates": lambda way: "\ud800" * 3,
}


@pytest.mark.parametrize("kind", BAD)
async def test_a_token_that_is_not_valid_is_refused_without_being_repeated(way: Doorway, kind: str) -> None:
    await refused(way, BAD[kind](way))


async def test_a_token_is_verified_once(way: Doorway, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[str] = []
    decode = jwt.decode

    def counted(token: str, *args: Any, **kwargs: Any) -> Any:
        decoded.append(token)
        return decode(token, *args, **kwargs)

    monkeypatch.setattr(jwt, "decode", counted)
    token = way.signer.sign()
    for _ in range(5):
        assert (await identify(way, token)).name == "jwt:ada"
    assert decoded == [token]


async def test_a_verified_token_still_expires(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    way = doorway(tmp_path, now=lambda: now)
    token = way.signer.sign(exp=int(now) - 100)
    monkeypatch.setattr("proxy.access.signed.LEEWAY", 3600)  # as if it were valid still
    await identify(way, token)
    monkeypatch.undo()
    now = int(now) - 100 + 3600 - 0.5
    assert (await identify(way, token)).name == "jwt:ada"
    now += 0.5
    assert "it has expired" in await refused(way, token)


async def test_roles_are_asked_of_the_policy(way: Doorway) -> None:
    app, ops = await identify(way, way.tokens["app"]), await identify(way, way.tokens["ops"])
    way.door.require(app, Role.WRITER, "jobs")
    way.door.require(ops, Role.OPERATOR)
    for role, collection in ((Role.OPERATOR, "jobs"), (Role.READER, "numbered"), (Role.READER, "")):
        with pytest.raises(PermissionDenied, match="token:app is no"):
            way.door.require(app, role, collection)
    assert not way.door.is_known(await identify(way, way.tokens["stranger"]))


async def test_a_certificate_names_whom_the_policy_knows(way: Doorway) -> None:
    known = await way.door.identify(Proof(certificate=("localhost", "worker")))
    assert known == Identity("cert:worker")
    assert await way.door.identify(Proof(certificate=("x", "y"))) == Identity("cert:x")


async def test_a_token_counts_before_a_certificate(way: Doorway) -> None:
    with pytest.raises(Unauthenticated):
        await way.door.identify(Proof("nonsense", ("worker",)))


def rewrite(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    os.replace(fresh, path)


async def test_a_token_that_is_taken_from_the_file_is_refused_from_then_on(way: Doorway) -> None:
    await identify(way, way.tokens["app"])
    rewrite(
        way.tokens_file,
        "\n".join(line for line in way.tokens_file.read_text().splitlines() if "app" not in line),
    )
    await way.door.refresh()
    await refused(way, way.tokens["app"])
    await identify(way, way.tokens["ops"])


async def test_a_key_that_is_withdrawn_lets_nobody_in(way: Doorway) -> None:
    old = way.signer.sign()
    await identify(way, old)
    way.signer.rotate("second")
    await way.door.refresh()
    await refused(way, old)
    await identify(way, way.signer.sign())


async def test_a_policy_that_changes_is_in_force_at_once(way: Doorway) -> None:
    app = await identify(way, way.tokens["app"])
    rewrite(way.policy, 'grants: [{who: "token:app", role: reader, collections: [jobs]}]')
    await way.door.refresh()
    assert way.door.may(app, Role.READER, "jobs") and not way.door.may(app, Role.WRITER, "jobs")


async def test_what_cannot_be_read_leaves_the_old_in_force(
    way: Doorway, caplog: pytest.LogCaptureFixture
) -> None:
    app = await identify(way, way.tokens["app"])
    rewrite(way.policy, "grants: {")
    await way.door.refresh()
    assert way.door.may(app, Role.WRITER, "jobs")
    assert "who may come in is as it was" in caplog.text


@pytest.mark.parametrize("line", ["app", "app secret", "app " + "A" * 64, "a b " + "0" * 64])
def test_a_line_that_is_no_token_is_said_without_showing_it(tmp_path: Path, line: str) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"ok {'0' * 64}\n{line}\n")
    with pytest.raises(AccessError, match=r"line 2: must be") as caught:
        read_tokens(str(file))
    assert line not in str(caught.value)


def test_a_token_belongs_to_one_name(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"a {'0' * 64}\nb {'0' * 64}\n")
    with pytest.raises(AccessError, match="twice"):
        read_tokens(str(file))


@pytest.mark.parametrize(
    "text", ["{}", "[]", "x", '{"keys": []}', '{"keys": [{"kty": "oct", "kid": "a", "k": "c2VjcmV0"}]}']
)
def test_a_set_without_public_keys_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "other.json"
    file.write_text(text)
    with pytest.raises(AccessError):
        doorway(tmp_path, keys=str(file))


async def test_keys_of_an_address_are_fetched_when_a_token_names_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    signers: list[Any] = []

    async def answer(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.json_response(signers[0].published())

    async with _site(answer) as address:
        signers.append(doorway(tmp_path).signer)
        way = await asyncio.to_thread(doorway, tmp_path, keys=address)
        signers[0] = way.signer
        await way.door._signed._fetch()  # type: ignore[union-attr]
        await identify(way, way.signer.sign())
        way.signer.rotate("second")
        before = asked
        await refused(way, way.signer.sign())  # asked a moment ago: a flood of strange keys asks nobody
        assert asked == before
        monkeypatch.setattr("proxy.access.signed.FETCH_AGAIN", 0.0)
        assert (await identify(way, way.signer.sign())).name == "jwt:ada"
        assert asked == before + 1


@asynccontextmanager
async def _site(answer: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[str]:
    """Answers at an address while the block runs."""
    application = web.Application()
    application.router.add_get("/keys", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/keys"
    finally:
        await runner.cleanup()
