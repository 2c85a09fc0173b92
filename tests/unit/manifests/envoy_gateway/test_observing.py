from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from extproc.manifests.source import Unrenderable

if TYPE_CHECKING:
    from tests.unit.manifests.envoy_gateway.conftest import Rendered

    Render = Callable[..., Rendered]

AGENTS = [{"id": "a", "url": "http://10.0.0.1"}, {"id": "b", "cluster": "of-others"}]
OBSERVE = {"mode": "observe"}
WATCH = "outerloop-watch-travel"


def test_routes_of_others_are_watched_where_they_are_marked(rendered: Render) -> None:
    found = rendered(*AGENTS, listener=OBSERVE)
    target = {
        "group": "gateway.networking.k8s.io",
        "kind": "HTTPRoute",
        "matchLabels": {"outerloop/watched": "travel"},
    }
    policy = found.spec("EnvoyExtensionPolicy", WATCH)
    assert policy["targetSelectors"] == [target]
    (decides,) = policy["extProc"]
    assert (decides["failOpen"], decides["messageTimeout"]) == (True, "32s")
    assert found.spec("BackendTrafficPolicy", WATCH) == {
        "targetSelectors": [target],
        "requestBuffer": {"limit": 32 * 2**20},
    }
    assert "outerloop/watched=travel" in found.note("listeners[travel].mode:")


def test_nothing_else_is_rendered(rendered: Render) -> None:
    found = rendered(*AGENTS, listener=OBSERVE)
    kinds = [each["kind"] for each in found.manifests.documents]
    assert kinds == ["EnvoyExtensionPolicy", "BackendTrafficPolicy"]


def test_answers_are_not_filtered(rendered: Render) -> None:
    filters = [{"id": "pii", "type": "builtin", "use": "pii"}]
    listener = {**OBSERVE, "output_filters": ["pii"]}
    found = rendered(*AGENTS, listener=listener, filters=filters)
    assert len(found.spec("EnvoyExtensionPolicy", WATCH)["extProc"]) == 1


@pytest.mark.parametrize(
    "rest",
    [
        {
            "listeners": [
                {"name": "x", "port": 1, "mode": "observe", "agents": [{"id": "a"}]},
                {"name": "y", "port": 2, "agents": [{"id": "a"}]},
            ]
        },
        {
            "listener": OBSERVE,
            "deploy": {"processor": {"tls": {"san": "p.x", "secret": "a", "client_secret": "b"}}},
        },
    ],
)
def test_what_would_do_harm_is_refused(rendered: Render, rest: dict[str, Any]) -> None:
    with pytest.raises(Unrenderable, match=r"\.mode: observe"):
        rendered(AGENTS[0], **rest)
