"""Measure what counting tokens costs Envoy: CPU of each request with and without it, in turns.

usage: tokens.py [--rounds N] [--requests N]

Runs two stacks with one worker each, and an agent that answers in three ways: a JSON object, a
stream of 200 events of the OpenAI API in one go, and the same stream event by event. What is
printed is the CPU time of Envoy's process alone, and the smallest of all rounds: others make it
larger, never smaller.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

CHAT = b"/v1/chat/completions"
AT_ONCE = 8
YAML = """
version: v1
agents: [{{id: agent, url: "http://127.0.0.1:{port}"}}]
listeners: [{{type: agent, name: main, port: 0, agents: [{{id: agent}}]}}]
observability: {{access_log: null, tokens: {tokens}}}
"""
USAGE = {"prompt_tokens": 11, "completion_tokens": 200, "total_tokens": 211}
CHUNK = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "usage": None}
EVENTS = [
    *({**CHUNK, "choices": [{"index": 0, "delta": {"content": f" w{i}"}}]} for i in range(200)),
    {**CHUNK, "choices": [], "usage": USAGE},
]
STREAM = [f"data: {json.dumps(each)}\n\n".encode() for each in EVENTS]
OBJECT = json.dumps({"choices": [{"message": {"content": "x" * 2000}}], "usage": USAGE}).encode()
SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection of the agent: the `user-agent` says how."""
    while head := await read_head(reader):
        await reader.readexactly(length_of(head))
        if b"user-agent: object" in head:
            length = b"content-length: %d\r\n\r\n" % len(OBJECT)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n" + length + OBJECT)
        else:
            writer.write(SSE)
            for event in STREAM:
                writer.write(b"%x\r\n%s\r\n" % (len(event), event))
                if b"user-agent: events" in head:
                    await asyncio.sleep(0)
            writer.write(b"0\r\n\r\n")
        await writer.drain()
    writer.close()


async def read_head(reader: asyncio.StreamReader) -> bytes:
    """Return the head of a message in lower case; nothing where the connection ends."""
    try:
        return (await reader.readuntil(b"\r\n\r\n")).lower()
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


def length_of(head: bytes) -> int:
    """Return the length of the body that follows."""
    found = re.search(rb"\r\ncontent-length: (\d+)", head)
    return int(found[1]) if found else 0


async def send(port: int, kind: str, requests: int) -> None:
    """Send requests one after another over one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    body = b'{"messages": [{"role": "user", "content": "hello"}]}'
    head = f"host: a\r\nuser-agent: {kind}\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    for _ in range(requests):
        writer.write(b"POST %s HTTP/1.1\r\n%s%s" % (CHAT, head, body))
        answered = await read_head(reader)
        if length := length_of(answered):
            await reader.readexactly(length)
        else:
            await reader.readuntil(b"\r\n0\r\n\r\n")
    writer.close()


@dataclass(frozen=True)
class Stack:
    """A running stack: its port, and Envoy's process."""

    port: int
    envoy: int

    def cpu(self) -> float:
        """Return the seconds of CPU that Envoy has used."""
        fields = Path(f"/proc/{self.envoy}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start(folder: Path, agent: int, tokens: str, stacks: ExitStack) -> Stack:
    """Run a stack until `stacks` is left."""
    file = folder / f"{tokens}.yaml"
    file.write_text(YAML.format(port=agent, tokens=tokens))
    outerloop = str(Path(sys.executable).parent / "outerloop")
    command = [outerloop, "up", "-c", str(file), "--admin", "127.0.0.1:0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    stacks.callback(process.wait)
    stacks.callback(process.terminate)
    assert process.stdout is not None
    port = 0
    for line in process.stdout:
        if line.startswith("listener "):
            port = int(line.rpartition(":")[2])
        if line.startswith("admin "):
            with urllib.request.urlopen(f"{line.split()[-1]}/readyz") as ready:
                return Stack(port, json.load(ready)["envoy"]["pid"])
    raise SystemExit("the stack did not start")


async def measure(stack: Stack, kind: str, requests: int) -> float:
    """Return the microseconds of Envoy's CPU that each request takes."""
    before = stack.cpu()
    await asyncio.gather(*(send(stack.port, kind, requests // AT_ONCE) for _ in range(AT_ONCE)))
    return (stack.cpu() - before) / requests * 1e6


async def main(rounds: int, requests: int) -> None:
    """Print a line for each kind of answer."""
    agent = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = agent.sockets[0].getsockname()[1]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stacks:
        both = [
            await asyncio.to_thread(start, Path(folder), port, tokens, stacks)
            for tokens in ("false", "true")
        ]
        for kind in ("object", "stream", "events"):
            found = [
                [await measure(stack, kind, requests) for stack in both] for _ in range(rounds)
            ]
            without, counted = (min(each) for each in zip(*found, strict=True))
            print(f"{kind:8} {without:7.0f} us without, {counted:7.0f} us with")
        await asyncio.to_thread(stacks.close)
    # Envoy is gone, and so its connections end.
    await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--requests", type=int, default=1600)
    asked = options.parse_args()
    asyncio.run(main(asked.rounds, asked.requests))
