"""Requests that agents answer: each may cost something, so none is sent twice."""

from __future__ import annotations

from extproc import names
from extproc.doctor import requests
from extproc.doctor.client import Client, Pairs
from extproc.doctor.reply import Reply


class Prompts:
    """Sends them and keeps those answers that several probes look at. Methods raise `NoReply`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._explicit: dict[str, Reply] = {}
        self.sent = 0

    async def explicit(self, agent: str) -> Reply:
        """Return what an agent answers that is named as the model."""
        if agent not in self._explicit:
            self._explicit[agent] = await self._post(requests.ping(model=agent))
        return self._explicit[agent]

    async def spoofed(self, agent: str, headers: Pairs) -> Reply:
        """Return what comes of naming an agent as the model, and others in headers."""
        return await self._post(requests.ping(model=agent), headers)

    async def undirected(self, text: str) -> Reply:
        """Return what comes of a prompt that names nobody, and so must be decided."""
        return await self._post(requests.ping(text))

    async def streamed(self, agent: str) -> Reply:
        """Return an agent's stream."""
        return await self._post(requests.count(agent))

    async def _post(self, body: bytes, headers: Pairs = ()) -> Reply:
        self.sent += 1
        return await self._client.post(names.PATH_CHAT, body, headers)
