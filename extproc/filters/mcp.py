"""Filters that are tools of an MCP server, over streamable HTTP by the official SDK.

https://modelcontextprotocol.io/specification. Needs the extra `mcp`, which is slow to import:
this module is imported only where a file has such a filter.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from contextvars import ContextVar
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, Self

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult, TextContent

from extproc.calls import Arriving, Call, CallFailed, Opener, Target
from extproc.filters.api import KEEP, Change, Deny, FilterError, Form, Phase, Subject, Verdict
from extproc.filters.replies import refusal_text
from extproc.http import HeaderPairs

_REFUSED: Final = 400
_CLOSE: Final = 2.0
"""Seconds to say goodbye in."""
_MOST_PAGES: Final = 16
"""Of the server's list of tools."""
_UNFIT: Final = re.compile(r"\bvalidation errors? for\b")
"""How the SDK's servers say that the arguments were none for the tool: it never ran."""
_SESSION_LOST: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST})
"""What servers answer under a session that they do not know (any more)."""
_SESSION_ID: Final = "mcp-session-id"
_OF_THE_PROTOCOL: Final = ("accept", "content-type", "mcp-")
"""How the names of the headers begin that the SDK sets for the server."""


@dataclass(slots=True)
class _Exchange:
    """One tool call on its way through the SDK: headers in, what became of it out."""

    headers: HeaderPairs = field(default=(), repr=False)
    lost: bool = False
    failure: CallFailed | None = None


# The SDK sends each message in a task that has the context of who asked for it.
_EXCHANGE: Final[ContextVar[_Exchange | None]] = ContextVar("exchange", default=None)


class McpFilter(AbstractAsyncContextManager["McpFilter"]):
    """Asks one tool, with `{"body", "path"}`. An `isError` refuses; all that fails is a failure.

    One session serves all requests; it is opened by the first one, and anew after it was lost.
    Must be entered before use, and left on the same task. `max_bytes` is the most that is read of
    an answer, `timeout` (seconds) also what opening a session may take.
    """

    def __init__(
        self, target: Target, tool: str, opener: Opener, *, timeout: float, max_bytes: int
    ) -> None:
        self._tool = tool
        self._timeout = timeout
        self._client = httpx2.AsyncClient(
            transport=_Transport(target, opener, timeout, max_bytes),
            max_redirects=0,
            timeout=None,
            trust_env=False,
        )
        self._url = f"http://filter{target.origin.path_prefix}"
        self._max_bytes = max_bytes
        self._tasks = asyncio.TaskGroup()
        self._session: _Session | None = None

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._session is not None:
            self._session.close()
        await self._tasks.__aexit__(None, None, None)
        await self._client.aclose()

    async def apply(self, subject: Subject, /) -> Verdict:
        """Ask the tool. Raises `FilterError`."""
        body = _argument(subject)
        exchange = _Exchange(subject.headers)
        result = await self._call(body, subject.api, exchange)
        if result is None:
            result = await self._call(body, subject.api, exchange)
        if result is None:
            raise FilterError("the server lost its session twice")
        return _verdict(subject, body, result)

    async def _call(self, body: object, path: str, exchange: _Exchange) -> CallToolResult | None:
        """Call the tool; None where the server does not know the session, and did nothing."""
        session = await self._open()
        exchange.lost, exchange.failure = False, None
        _EXCHANGE.set(exchange)
        try:
            return await session.call(self._tool, {"body": body, "path": path})
        except FilterError:
            raise
        except Exception as error:  # noqa: BLE001 - the SDK's own, and those of its libraries
            if exchange.lost:
                session.close()
                return None
            if exchange.failure is not None:
                failure = exchange.failure
                raise FilterError(str(failure), timed_out=failure.timed_out) from None
            # The text of an error may quote the request.
            code = f" {error.code}" if isinstance(error, MCPError) else ""
            raise FilterError(f"MCP error{code}") from None

    async def _open(self) -> _Session:
        session = self._session
        if session is None or session.closed:
            session = self._session = _Session()
            self._tasks.create_task(
                session.keep(self._url, self._client, self._tool, self._timeout, self._max_bytes)
            )
        # Who gives up waiting must not end the opening for all others.
        await asyncio.shield(session.opened)
        return session


class _Session:
    """One session with a server, kept by a task of its own, as the SDK wants it."""

    def __init__(self) -> None:
        self.closed = False
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Nobody may be left to hear of a failure.
        self.opened.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._client: Client | None = None
        self._ended = asyncio.Event()

    def close(self) -> None:
        """End the session; calls that run in it go on for a moment."""
        self.closed = True
        self._ended.set()

    async def call(self, tool: str, arguments: dict[str, Any]) -> CallToolResult:
        if self._client is None:
            raise FilterError("the session ended")
        return await self._client.call_tool(tool, arguments)

    async def keep(
        self, url: str, http: httpx2.AsyncClient, tool: str, patience: float, max_bytes: int
    ) -> None:
        """Open the session and hold it until it is closed, or breaks. Raises nothing."""
        exchange = _Exchange()
        _EXCHANGE.set(exchange)
        try:
            async with AsyncExitStack() as exits:
                async with asyncio.timeout(patience):
                    streams = streamable_http_client(
                        url, http_client=http, max_sse_event_size=max_bytes
                    )
                    client = await exits.enter_async_context(Client(streams, cache=None))
                    await _require(client, tool)
                self._client = client
                self.opened.set_result(None)
                await self._ended.wait()
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - it must not end the worker
            self._fail(error, exchange.failure)
        finally:
            self.closed = True
            self._client = None

    def _fail(self, error: BaseException, failure: CallFailed | None) -> None:
        if self.opened.done():
            return
        while isinstance(error, BaseExceptionGroup):
            # The SDK's groups of tasks wrap what is raised within them.
            error = error.exceptions[0]
        if isinstance(error, FilterError):
            self.opened.set_exception(error)
        elif failure is not None:
            self.opened.set_exception(FilterError(str(failure), timed_out=failure.timed_out))
        else:
            late = isinstance(error, TimeoutError)
            reason = "no session in time" if late else "no session with the MCP server"
            self.opened.set_exception(FilterError(reason, timed_out=late))


async def _require(client: Client, tool: str) -> None:
    """Raise `FilterError` unless the server has the tool: to call another one is no refusal."""
    cursor: str | None = None
    for _ in range(_MOST_PAGES):
        page = await client.list_tools(cursor=cursor)
        if any(each.name == tool for each in page.tools):
            return
        cursor = page.next_cursor
        if cursor is None:
            break
    raise FilterError(f"the MCP server has no tool {tool}")


def _argument(subject: Subject) -> Any:  # noqa: ANN401 - any JSON
    try:
        if subject.form is not Form.JSON:
            return subject.body.decode()
        value = json.loads(subject.body)
        if b"\\u" in subject.body:
            # Half a surrogate pair is legal JSON, but no text that the SDK could send.
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeError:
        raise FilterError("the body is no text that MCP can carry") from None
    return value


def _verdict(subject: Subject, body: object, result: CallToolResult) -> Verdict:
    texts = [each.text for each in result.content if isinstance(each, TextContent)]
    if result.is_error:
        said = "\n".join(texts)
        if _UNFIT.search(said):
            raise FilterError("the tool does not take what it was given")
        return Deny(_refusal(said, subject.phase), _REFUSED)
    value: Any = result.structured_content
    if isinstance(value, dict) and set(value) == {"result"}:
        # How the SDK's servers wrap what a tool returns unless it is an object.
        value = value["result"]
    elif value is None and result.content:
        if len(texts) != len(result.content):
            raise FilterError("its answer is neither structured nor text")
        value = "".join(texts)
    if value is None or value == body:
        return KEEP
    if isinstance(value, str):
        if not value and subject.form is Form.JSON:
            return KEEP
        return Change(value.encode(errors="surrogatepass"))
    return Change(json.dumps(value).encode())


def _refusal(said: str, phase: Phase) -> str:
    """A tool's text is always meant as a message: unlike a page of a web server."""
    return refusal_text(json.dumps({"message": said}).encode(), phase)


class _Transport(httpx2.AsyncBaseTransport):
    """The SDK's way to the server: through the same egress as every other call.

    It raises nothing: an exception would end the session for all other calls in it.
    """

    def __init__(self, target: Target, opener: Opener, timeout: float, max_bytes: int) -> None:
        self._target = target
        self._opener = opener
        self._timeout = timeout
        self._max_bytes = max_bytes

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            # The server's own messages: a filter has nothing to hear beside its answers.
            return httpx2.Response(HTTPStatus.METHOD_NOT_ALLOWED)
        exchange = _EXCHANGE.get() or _Exchange()
        sent = tuple(
            pair for pair in request.headers.items() if pair[0].startswith(_OF_THE_PROTOCOL)
        )
        call = Call(
            target=self._target,
            path=self._target.origin.path_prefix,
            body=await request.aread(),
            # The filter's own deadline comes first, and lets the SDK say that it gave up.
            timeout=(self._timeout if request.method == "POST" else 0) + _CLOSE,
            max_bytes=self._max_bytes,
            headers=(*sent, *exchange.headers),
            method=request.method,
        )
        exits = AsyncExitStack()
        try:
            arriving = await exits.enter_async_context(self._opener.open(call))
        except CallFailed as failure:
            exchange.failure = failure
            return httpx2.Response(HTTPStatus.BAD_GATEWAY)
        if arriving.status in _SESSION_LOST and _SESSION_ID in request.headers:
            exchange.lost = True
        headers = [pair for pair in arriving.headers if pair[0] in ("content-type", _SESSION_ID)]
        return httpx2.Response(
            arriving.status, headers=headers, stream=_Body(arriving, exits, exchange)
        )


class _Body(httpx2.AsyncByteStream):
    def __init__(self, arriving: Arriving, exits: AsyncExitStack, exchange: _Exchange) -> None:
        self._arriving = arriving
        self._exits = exits
        self._exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._arriving.chunks:
                yield chunk
        except CallFailed as failure:
            self._exchange.failure = failure
            raise httpx2.StreamError("the answer broke off") from None

    async def aclose(self) -> None:
        await self._exits.aclose()
