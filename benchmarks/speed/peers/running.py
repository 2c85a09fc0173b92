"""Peers that run, each with the same agents behind it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from benchmarks.speed import stacks, usage
from benchmarks.speed.peers.environments import EXTPROC_SDK, LITELLM
from benchmarks.speed.processes import Children, free_port, wait_for
from benchmarks.speed.setups import Front, Places, Setup, configuration
from benchmarks.speed.stacks import Stack, Upstreams

KEY: Final = "sk-bench"
"""LiteLLM does not run without one; it is no secret."""
EVENTS: Final = 200
_SERVER: Final = Path(__file__).with_name("extproc_sdk_server.py")


def start(setup: Setup, upstream: Upstreams, folder: Path, children: Children) -> Stack:
    """Start a peer, or what is not one; see `stacks.start`."""
    if setup.front is Front.LITELLM:
        return _litellm(setup, upstream, folder, children)
    if setup.front is Front.EXTPROC_SDK:
        return _extproc_sdk(setup, upstream, folder, children)
    return stacks.start(setup, upstream, folder, children)


def _litellm(setup: Setup, upstream: Upstreams, folder: Path, children: Children) -> Stack:
    port, agents = free_port(), upstream.services if setup.streams else upstream.answers
    models = [
        {
            "model_name": f"agent-{number}",
            "litellm_params": {
                "model": f"openai/agent-{number}",
                "api_base": f"http://127.0.0.1:{agents}/v1",
                "api_key": "none",
                # It does not hand a client's headers on.
                "extra_headers": {"x-bench-events": f"{EVENTS},0"},
            },
        }
        for number in range(setup.agents)
    ]
    file = folder / "litellm.yaml"
    file.write_text(json.dumps({"model_list": models}))
    argv = (
        *(str(LITELLM.bin / "litellm"), "--config", str(file)),
        *("--host", "127.0.0.1", "--port", str(port)),
    )
    settings = {"LITELLM_MASTER_KEY": KEY, "LITELLM_LOG": "ERROR"}
    child = children.start("litellm", argv, folder, settings)
    wait_for(f"http://127.0.0.1:{port}/health/liveliness", child)
    return Stack(f"http://127.0.0.1:{port}", {"peer": usage.family(child.pid)})


def _extproc_sdk(setup: Setup, upstream: Upstreams, folder: Path, children: Children) -> Stack:
    text = configuration(setup, Places(upstream.answers, upstream.services, free_port()))
    socket = folder / "p.sock"
    argv = (str(EXTPROC_SDK.bin / "python"), str(_SERVER), str(socket))
    child = children.start("extproc-sdk", argv, folder, {"DD_TRACE_ENABLED": "false"})
    child.line("ready")
    envoy = stacks.with_envoy(text, (socket,), folder, children)
    roles = {"envoy": (envoy.child.pid,), "peer": (child.pid,)}
    return Stack(f"http://127.0.0.1:{envoy.port()}", roles, envoy)
