"""Envoys: ours as it is rendered, one that only forwards, and one that answers at once."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import yaml

from benchmarks.speed.processes import PYTHON, Child, Children, NotStarted, get

LISTENER: Final = "bench"
MANAGER: Final = f"agents.{LISTENER}"
"""Prefix of the statistics of the listener, in all of them."""
ANSWER: Final = json.dumps(
    {
        "id": "chatcmpl-0",
        "object": "chat.completion",
        "created": 1,
        "model": "agent",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Yes, here is what I found. " * 8},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 11, "completion_tokens": 57, "total_tokens": 68},
    }
)
_TYPE: Final = "type.googleapis.com/envoy.extensions"
_LARGEST: Final = 64 * 2**20
_TROUBLES: Final = "|".join(
    (
        rf"^http[.]{MANAGER.replace('.', '[.]')}[.]downstream_rq_[45]xx$",
        r"[.]ext_proc[.][a-z]+[.](message_timeouts|streams_failed)$",
        r"^cluster[.].*[.]upstream_(cx|rq|rq_pending)_(overflow|timeout|connect_fail)$",
        r"^cluster[.]processor[.]health_check[.]failure$",
    )
)
_SETTLED: Final = 120.0
_POLL: Final = 0.02


class Envoy:
    """A running Envoy: its process, and what its admin says."""

    def __init__(
        self, name: str, bootstrap: str, folder: Path, threads: int, children: Children
    ) -> None:
        config, place = folder / f"{name}.yaml", folder / f"{name}.admin"
        config.write_text(bootstrap)
        argv = (
            binary(),
            *("--config-path", str(config)),
            *("--admin-address-path", str(place)),
            *("--concurrency", str(threads)),
            *("--log-level", "error"),
            "--disable-hot-restart",
        )
        self.child = children.start(name, argv, folder)
        self._admin = _appears(place, self.child)

    def port(self, listener: str = LISTENER) -> int:
        """Return where it listens, once it does. Raises `NotStarted`."""
        end = time.monotonic() + _SETTLED
        while time.monotonic() < end and self.child.runs:
            found = json.loads(get(f"{self._admin}/listeners?format=json"))
            for status in found.get("listener_statuses", ()):
                if status["name"] == listener:
                    return int(status["local_address"]["socket_address"]["port_value"])
            time.sleep(_POLL)
        raise self.child.failed("does not listen")

    def stats(self, pattern: str) -> dict[str, int]:
        """Return the counters and gauges whose names match."""
        query = urlencode({"format": "json", "filter": pattern})
        found = json.loads(get(f"{self._admin}/stats?{query}"))["stats"]
        return {each["name"]: each["value"] for each in found if "value" in each}

    def troubles(self) -> Counter[str]:
        """Return how often each thing happened so far that should not."""
        return Counter({name: value for name, value in self.stats(_TROUBLES).items() if value})

    def stat(self, name: str) -> int:
        """Return one of them; 0 where there is none."""
        return self.stats(f"^{name.replace('.', r'[.]')}$").get(name, 0)

    def wait(self, name: str, value: int) -> None:
        """Return when a counter or gauge has that value. Raises `NotStarted`."""
        end = time.monotonic() + _SETTLED
        while self.stat(name) != value:
            if time.monotonic() > end or not self.child.runs:
                raise self.child.failed(f"has no {name} of {value}")
            time.sleep(_POLL)


def binary() -> str:
    """Return the path of `envoy`: of this Python's environment, or on PATH."""
    places = os.pathsep.join((str(Path(PYTHON).parent), os.environ.get("PATH", "")))
    found = shutil.which("envoy", path=places)
    if found is None:
        raise NotStarted("envoy is not installed: make install")
    return found


def _appears(place: Path, envoy: Child) -> str:
    """Return the admin's URL once Envoy has written where it is, and answers there."""
    end = time.monotonic() + _SETTLED
    while time.monotonic() < end and envoy.runs:
        with suppress(OSError):
            url = f"http://{place.read_text().strip()}"
            get(f"{url}/ready")
            return url
        time.sleep(_POLL)
    raise envoy.failed("did not start")


def forwarding(port: int) -> str:
    """Return the bootstrap of an Envoy that forwards all it gets to a port, and nothing else."""
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": "agent", "timeout": "300s"}}]
    cluster = {
        "name": "agent",
        "type": "STATIC",
        "circuit_breakers": {"thresholds": [{"max_connections": 50000, "max_requests": 50000}]},
        "load_assignment": {
            "cluster_name": "agent",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(port)}}]}],
        },
    }
    return _bootstrap(_manager(routes, []), [cluster])


def answering() -> str:
    """Return the bootstrap of an Envoy that reads each request and gives the same answer."""
    routes = [
        {
            "match": {"prefix": "/"},
            "direct_response": {"status": 200, "body": {"inline_string": ANSWER}},
            "response_headers_to_add": [
                {
                    "header": {"key": "content-type", "value": "application/json"},
                    "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
                }
            ],
        }
    ]
    # Without it the answer would begin before the request has ended, and end the connection.
    buffer = _typed("http.buffer", "filters.http.buffer.v3.Buffer", max_request_bytes=_LARGEST)
    return _bootstrap(_manager(routes, [buffer]), [])


def _manager(routes: list[Any], filters: list[Any]) -> dict[str, Any]:
    router = _typed("http.router", "filters.http.router.v3.Router")
    return _typed(
        "network.http_connection_manager",
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=MANAGER,
        route_config={"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        http_filters=[*filters, router],
    )


def _bootstrap(manager: dict[str, Any], clusters: list[Any]) -> str:
    listener = {
        "name": LISTENER,
        "address": _address(0),
        "filter_chains": [{"filters": [manager]}],
        "per_connection_buffer_limit_bytes": _LARGEST,
    }
    return yaml.safe_dump(
        {
            "static_resources": {"listeners": [listener], "clusters": clusters},
            "admin": {"address": _address(0)},
        }
    )


def _typed(name: str, kind: str, **fields: object) -> dict[str, Any]:
    config = {"@type": f"{_TYPE}.{kind}", **fields}
    return {"name": f"envoy.filters.{name}", "typed_config": config}


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
