from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from extproc.manifests.kubernetes.notes import _BUILT_IN, notes
from extproc.manifests.source import Source, Unrenderable
from extproc.plugins import plugin_names

Make = Callable[..., Source]

GUARD = {"id": "guard", "type": "http", "url": "http://guard.travel.svc"}
AGENTS = tuple({"id": name, "url": f"http://{name}.travel.svc"} for name in "ab")
IMAGE = {"image": "registry.test/outerloop:1"}


def only(source: Source) -> list[str]:
    """Give the notes but for the last one, which is always there."""
    *found, gateway = notes(source)
    assert gateway.startswith("listeners, agents: the gateway is not part of this target")
    assert f"{source.config.deploy.name}-client" in gateway
    return found


def test_nothing_is_said_of_what_is_there(make_source: Make) -> None:
    assert only(make_source(*AGENTS, filters=[GUARD], deploy=IMAGE)) == []


def test_an_image_must_be_somewhere(make_source: Make) -> None:
    [note] = only(make_source())
    assert note.startswith("deploy.image: is not set: ")


@pytest.mark.parametrize(
    ("changes", "begin"),
    [
        (
            {"filters": [GUARD | {"url": "http://localhost:1"}]},
            "filters: guard: url: is a loopback",
        ),
        ({"filters": [GUARD | {"url": "http://$H"}]}, "filters: guard: url: comes from a variable"),
        (
            {"orchestrator": {"model": {"url": "https://models.example/v1", "name": "m"}}},
            "orchestrator.model.url: a NetworkPolicy knows no names: all public addresses",
        ),
        (
            {"orchestrator": {"avoid_unavailable": True}},
            "orchestrator.avoid_unavailable: has no effect",
        ),
        (
            {"orchestrator": {"session": {"header": "x-user"}}},
            "orchestrator.session.header: each pod",
        ),
        ({"admin": {"port": 9000}}, "admin: has no effect"),
        (
            {"deploy": IMAGE | {"processor": {"addresses": ["outerloop.default:9009"]}}},
            "deploy.processor.addresses: outerloop.default:9009: the Services listen on 9001",
        ),
        (
            {"deploy": IMAGE | {"processor": {"tls": {"san": "a", "secret": "pair"}}}},
            "deploy.processor.tls.secret: pair: yours to make in default, with tls.crt",
        ),
        (
            {"envoy": {"http_filters": {"before_decision": [{"name": "jwt"}]}}},
            "envoy: stands in the ConfigMap, too",
        ),
    ],
)
def test_what_the_objects_do_not_say(
    make_source: Make, changes: dict[str, Any], begin: str
) -> None:
    found = [
        each
        for each in only(make_source(**({"deploy": IMAGE} | changes)))
        if not each.startswith("Secret ")
    ]
    assert [each[: len(begin)] for each in found] == [begin]


def test_variables_are_named_and_not_their_values(make_source: Make) -> None:
    agent = {"id": "a", "url": "http://a.b.svc", "headers": {"x-a": "$ONE $TWO"}}
    [note] = only(make_source(agent, deploy=IMAGE, environ={"ONE": "s3cret"}))
    assert note.startswith("Secret outerloop-env: ")
    assert note.endswith(": ONE, TWO")


def test_a_prompt_is_the_user_s_to_bring(make_source: Make, tmp_path: Any) -> None:
    (tmp_path / "p.txt").write_text("{routes} {conversation}")
    model = {"url": "http://models.ai.svc/v1", "name": "m", "prompt_file": "p.txt"}
    [note] = only(make_source(orchestrator={"model": model}, deploy=IMAGE | {"namespace": "ai"}))
    command = "kubectl -n ai create configmap outerloop-files --from-file=p.txt"
    assert note == f"orchestrator.model.prompt_file: yours to make: {command}"


def test_agents_that_pods_cannot_call_as_the_gateway_does(make_source: Make) -> None:
    agents = [
        {"id": "legacy", "cluster": "outbound|80||legacy"},
        {"id": "private", "url": "https://p.travel.svc", "tls": {"ca": "ca.pem"}},
    ]
    legacy, private = only(make_source(*agents, deploy=IMAGE))
    assert legacy.startswith("agents: legacy: cluster: ")
    assert private.startswith("agents: private: tls: ")
    assert "egress.url" in legacy
    assert "egress.url" in private
    by_gateway = {"egress": {"url": "http://out.travel.svc:80"}, "deploy": IMAGE}
    assert only(make_source(*agents, **by_gateway)) == []
    assert only(make_source(agents[1], deploy=IMAGE)) == []


def test_a_large_file_needs_another_way_to_be_applied(make_source: Make) -> None:
    source = make_source(deploy=IMAGE)
    [note] = only(Source(source.config, source.text + "#" * 2**18))
    assert "--server-side" in note


def test_a_socket_is_no_way_between_pods(make_source: Make) -> None:
    place = {"processor": {"addresses": ["unix:/run/processor.sock"]}}
    with pytest.raises(Unrenderable, match=r"^deploy\.processor\.addresses: a unix socket"):
        notes(make_source(deploy=place))


def test_filters_of_others_are_named(make_source: Make) -> None:
    source = make_source(filters=[GUARD], deploy=IMAGE)
    mine = source.config.filters[0].model_copy(
        update={"type": "builtin", "use": "mine", "url": None}
    )
    config = source.config.model_copy(update={"filters": (mine,)})
    [note] = only(Source(config, source.text))
    assert note.startswith("filters: guard: use: the image must have it")


def test_the_filters_of_our_own_are_known() -> None:
    assert plugin_names() >= _BUILT_IN
