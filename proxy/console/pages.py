"""The console as an ASGI application: the page, the picture, the log of divergences and orders, by HTTP.

Every answer carries headers that let a browser run and load what we serve and nothing else.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from proxy.console.access import Access, NotAdmitted, NotSignedIn, SignedIn, Visitor, check_same_origin
from proxy.console.actions import carry_out, read_wish
from proxy.console.desk import Desk
from proxy.console.history import History
from proxy.console.picture import Json, limit, paint, show_divergence, show_entry
from proxy.console.sessions import ATTRIBUTES, COOKIE
from proxy.console.watching import Lookout
from proxy.core import errors
from proxy.core.errors import BadRequest, CrossfadeError, PermissionDenied
from proxy.core.exchange import DivergenceQuery

STATIC = Path(__file__).parent / "static"
PAGE_SIZE = 50
MAX_BODY = 16 * 1024

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

STATUSES: dict[type[CrossfadeError], int] = {
    errors.CrossfadeError: 500,
    errors.BadRequest: 400,
    errors.Refused: 409,
    errors.Unauthenticated: 401,
    errors.PermissionDenied: 403,
    errors.NotFound: 404,
    errors.AlreadyExists: 409,
    errors.Contended: 409,
    errors.Overloaded: 429,
    errors.Unavailable: 503,
    errors.DeadlineExceeded: 504,
    errors.Unsupported: 501,
}

Answer = Callable[[Request], Awaitable[Any]]

_log = logging.getLogger("crossfade.console")


class Pages:
    """The console's routes over one desk."""

    def __init__(self, desk: Desk, access: Access, history: History, lookout: Lookout) -> None:
        self._desk = desk
        self._access = access
        self._history = history
        self._lookout = lookout

    def application(self) -> ASGIApp:
        routes = [
            Route("/", self._page),
            Route("/api/me", self._json(self._me)),
            Route("/api/sign-in", self._json(self._sign_in), methods=["POST"]),
            Route("/api/sign-out", self._json(self._sign_out), methods=["POST"]),
            Route("/api/live", self._live),
            Route("/api/picture", self._json(self._picture)),
            Route("/api/history/{name}", self._json(self._samples)),
            Route("/api/divergences", self._json(self._divergences)),
            Route("/api/audit", self._json(self._audit)),
            Route("/api/collections/{name}/{verb}", self._json(self._order), methods=["POST"]),
            Mount("/static", StaticFiles(directory=STATIC)),
        ]
        return _Door(Starlette(routes=routes), self._access)

    async def _page(self, request: Request) -> Response:
        return FileResponse(STATIC / "index.html")

    async def _live(self, request: Request) -> Response:
        return StreamingResponse(self._frames(request), media_type="text/event-stream")

    async def _frames(self, request: Request) -> AsyncIterator[bytes]:
        """The visitor's frames, for as long as they are admitted."""
        async for frame in self._lookout.stream(_lens_of(visitor_of(request))):
            try:
                await self._access.admit(request)
            except NotAdmitted:
                return
            yield frame

    async def _me(self, request: Request) -> Any:
        visitor = visitor_of(request)
        return {"name": visitor.name, "isSignedIn": visitor.visa is not None}

    async def _sign_in(self, request: Request) -> Any:
        check_same_origin(request)
        if not isinstance(self._access, SignedIn):
            raise BadRequest("nobody needs to sign in here")
        token = _token_in(await _body_of(request))
        request.state.cookie = f"{COOKIE}={await self._access.sign_in(token)}; {ATTRIBUTES}"
        return {}

    async def _sign_out(self, request: Request) -> Any:
        check_same_origin(request)
        if isinstance(self._access, SignedIn):
            self._access.sign_out(request)
        request.state.cookie = f"{COOKIE}=; {ATTRIBUTES}; Max-Age=0"
        return {}

    async def _picture(self, request: Request) -> Any:
        picture, lens = await paint(self._desk), _lens_of(visitor_of(request))
        return lens(picture) if lens else picture

    async def _samples(self, request: Request) -> Any:
        name = request.path_params["name"]
        if not visitor_of(request).may_see(name):
            raise PermissionDenied(f"{name} is not yours to see", field="collection")
        samples = self._history.of(name)
        return {"samples": [asdict(sample) for sample in samples]}

    async def _divergences(self, request: Request) -> Any:
        asked = request.query_params
        visitor_of(request).require_operator(asked.get("collection", ""))
        query = DivergenceQuery(
            collection=asked.get("collection", ""),
            kind=asked.get("kind", ""),
            state=asked.get("state", ""),
            limit=PAGE_SIZE + 1,
            before=_place(asked.get("before", "")),
        )
        rows = await self._desk.divergences.list(query)
        last = rows[PAGE_SIZE - 1] if len(rows) > PAGE_SIZE else None
        return {
            "divergences": [show_divergence(row) for row in rows[:PAGE_SIZE]],
            "next": f"{last.last_seen}:{last.id}" if last else None,
        }

    async def _audit(self, request: Request) -> Any:
        collection = request.query_params.get("collection", "")
        visitor_of(request).require_operator(collection)
        entries = await self._desk.overview.audit(collection, PAGE_SIZE)
        return {"entries": [show_entry(entry) for entry in entries]}

    async def _order(self, request: Request) -> Any:
        check_same_origin(request)
        visitor, name = visitor_of(request), request.path_params["name"]
        visitor.require_operator(name)
        wish = visitor.sign(read_wish(await _body_of(request)))
        actor = visitor.as_actor(wish.actor)
        try:
            return await carry_out(self._desk, name, request.path_params["verb"], wish, actor)
        finally:
            self._lookout.look_now()

    def _json(self, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        """Answer in JSON, errors included."""

        async def serve(request: Request) -> Response:
            try:
                reply = _reply(await answer(request))
                if hasattr(request.state, "cookie"):
                    reply.headers["Set-Cookie"] = request.state.cookie
                return reply
            except NotAdmitted as refusal:
                return _refusal(refusal)
            except CrossfadeError as error:
                return _reply({"error": _told(error)}, status_of(error))
            except Exception:
                incident = secrets.token_hex(8)
                _log.exception("unexpected failure %s", incident)
                text = f"the proxy failed; its log has the details under {incident}"
                return _reply({"error": {"message": text, "reason": "INTERNAL"}}, 500)

        return serve


class _Door:
    """Lets in whom `access` admits, and gives every answer its headers."""

    def __init__(self, inner: ASGIApp, access: Access) -> None:
        self._inner = inner
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        try:
            connection = HTTPConnection(scope)
            self._access.check_name(connection)
            if is_private(connection.url.path):
                connection.state.visitor = await self._access.admit(connection)
        except NotAdmitted as refusal:
            await _refusal(refusal)(scope, receive, send_guarded)
            return
        await self._inner(scope, receive, send_guarded)


def is_private(path: str) -> bool:
    """Whether only visitors who are admitted get an answer: all but the page itself and the way in."""
    return path != "/" and not path.startswith("/static/") and path != "/api/sign-in"


def visitor_of(request: Request) -> Visitor:
    """Who was admitted with this request."""
    visitor: Visitor = request.state.visitor
    return visitor


def _lens_of(visitor: Visitor) -> Callable[[Json], Json] | None:
    """What shows a visitor of a picture what is theirs to see; None where that is all of it."""
    return None if visitor.visa is None else lambda picture: limit(picture, visitor.may_see)


def _refusal(refusal: NotAdmitted) -> Response:
    is_unknown = isinstance(refusal, NotSignedIn)
    reason = "NOT_SIGNED_IN" if is_unknown else "NOT_ADMITTED"
    return _reply({"error": {"message": str(refusal), "reason": reason}}, 401 if is_unknown else 403)


def _token_in(body: bytes) -> str:
    """The token of a sign-in. Raises BadRequest, which tells nothing of it."""
    try:
        token = orjson.loads(body)["token"]
    except (ValueError, TypeError, KeyError):
        token = None
    if not isinstance(token, str) or not token.strip():
        raise BadRequest("the body must be an object with a token", field="token")
    return token.strip()


def status_of(error: CrossfadeError) -> int:
    """The HTTP status of an error: that of its class, or of the nearest class above it."""
    return next(STATUSES[cls] for cls in type(error).__mro__ if cls in STATUSES)


def _told(error: CrossfadeError) -> dict[str, str]:
    return {"message": error.message, "reason": error.reason.value, "field": error.field}


def _reply(data: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(data), status, media_type="application/json")


async def _body_of(request: Request) -> bytes:
    """The body, if it is not too large to be ours."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            raise BadRequest(f"the body has more than {MAX_BODY} bytes", field="body")
    return bytes(body)


def _place(text: str) -> tuple[int, str] | None:
    """Where a page of divergences begins. Raises BadRequest for what we did not hand out."""
    if not text:
        return None
    at, _, row = text.partition(":")
    if not at.isdecimal() or not row:
        raise BadRequest("this is no place in the list", field="before")
    return int(at), row
