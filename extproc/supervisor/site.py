"""The files of the status page, and what a browser is told to allow them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from aiohttp import ETag, web

_POLICY: Final = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
)
HEADERS: Final = {
    "content-security-policy": "; ".join(_POLICY),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
"""Of every answer: what clients send is shown in them."""

_TYPES: Final = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
_INDEX: Final = "index.html"


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    content_type: str
    etag: ETag

    async def serve(self, request: web.Request) -> web.Response:
        known = self.etag in (request.if_none_match or ())
        response = web.Response(status=304) if known else web.Response(body=self.body)
        if not known:
            response.content_type, response.charset = self.content_type, "utf-8"
        response.etag = self.etag
        # A new version of the page needs its new files.
        response.headers["cache-control"] = "no-cache"
        return response


def add_to(app: web.Application) -> None:
    """Serve the page at `/`, its files below `/page/`, and `HEADERS` with every answer."""
    app.on_response_prepare.append(_guard)
    for name, file in _read().items():
        app.router.add_get("/" if name == _INDEX else f"/page/{name}", file.serve)


async def _guard(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


def _read() -> dict[str, _File]:
    found = {}
    for path in (files("extproc.supervisor") / "page").iterdir():
        content_type = _TYPES.get(path.name.rpartition(".")[2])
        if content_type is not None:
            body = path.read_bytes()
            found[path.name] = _File(body, content_type, ETag(hashlib.sha256(body).hexdigest()))
    return found
