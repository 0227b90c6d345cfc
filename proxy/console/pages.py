"""The console as an ASGI application: the page, the picture, the log of divergences and orders, by HTTP.

Every answer carries headers that let a browser run and load what we serve and nothing else.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
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

from proxy.console.access import Access, NotAdmitted, check_same_origin
from proxy.console.actions import carry_out, read_wish
from proxy.console.desk import Desk
from proxy.console.history import History
from proxy.console.picture import paint, show_divergence, show_entry
from proxy.console.watching import Lookout
from proxy.core import errors
from proxy.core.errors import BadRequest, CrossfadeError
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
        return StreamingResponse(self._lookout.stream(), media_type="text/event-stream")

    async def _picture(self, request: Request) -> Any:
        return await paint(self._desk)

    async def _samples(self, request: Request) -> Any:
        samples = self._history.of(request.path_params["name"])
        return {"samples": [asdict(sample) for sample in samples]}

    async def _divergences(self, request: Request) -> Any:
        asked = request.query_params
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
        entries = await self._desk.overview.audit(request.query_params.get("collection", ""), PAGE_SIZE)
        return {"entries": [show_entry(entry) for entry in entries]}

    async def _order(self, request: Request) -> Any:
        check_same_origin(request)
        wish = read_wish(await _body_of(request))
        actor = self._access.admit(request).as_actor(wish.actor)
        name, verb = request.path_params["name"], request.path_params["verb"]
        try:
            return await carry_out(self._desk, name, verb, wish, actor)
        finally:
            self._lookout.look_now()

    def _json(self, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        """Answer in JSON, errors included."""

        async def serve(request: Request) -> Response:
            try:
                return _reply(await answer(request))
            except NotAdmitted as refusal:
                return _reply({"error": {"message": str(refusal), "reason": "NOT_ADMITTED"}}, 403)
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
            self._access.admit(HTTPConnection(scope))
        except NotAdmitted as refusal:
            refused = {"error": {"message": str(refusal), "reason": "NOT_ADMITTED"}}
            await _reply(refused, 403)(scope, receive, send_guarded)
            return
        await self._inner(scope, receive, send_guarded)


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
