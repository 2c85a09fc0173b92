"""The hosts that the admin is asked for: on loopback only those that no web site can have.

A web page can have its own name resolve to 127.0.0.1 (DNS rebinding). To the operator's browser the
admin is then a part of that page's site, which may read it; only the `host` tells.
"""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from extproc.address import is_ip, is_loopback

_AUTHORITY: Final = re.compile(r"(?:\[([^\[\]]+)\]|([^\[\]:]+))(?::[0-9]*)?")
_MISDIRECTED: Final = 421
_WHY: Final = "the admin listens on this machine alone: ask for 127.0.0.1 or localhost"


def guard(app: web.Application, bound: str) -> None:
    """Have `app`, which is to listen on the host `bound`, answer other names with 421.

    Where that is no loopback address, others reach it by whatever names they have for it.
    """
    if is_loopback(bound) or bound.lower() == "localhost":
        app.middlewares.append(_refuse_others)


@web.middleware
async def _refuse_others(request: web.Request, handler: Handler) -> web.StreamResponse:
    # HTTP/1.0 may leave it out; no browser does.
    authority = _AUTHORITY.fullmatch(request.headers.get("host", "localhost"))
    if authority is None or not _may_ask(authority[1] or authority[2]):
        return web.json_response({"error": _WHY}, status=_MISDIRECTED)
    return await handler(request)


def _may_ask(host: str) -> bool:
    """An address cannot be made to stand for another one."""
    return is_ip(host) or _is_nobodys(host)


def _is_nobodys(name: str) -> bool:
    """No web site can have a name under `localhost` (RFC 6761, section 6.3), or under `internal`.

    By the latter, such as `host.docker.internal`, containers reach their machine: ICANN has
    reserved it for private use.
    """
    return f".{name.lower()}".endswith((".localhost", ".internal"))
