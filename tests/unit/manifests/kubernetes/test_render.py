from __future__ import annotations

from collections.abc import Callable
from typing import Any

import kubernetes_validate
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from extproc.config.load import loads
from extproc.manifests.kubernetes.render import render
from extproc.manifests.source import Source, Unrenderable

Make = Callable[..., Source]

OLDEST, NEWEST = "1.30", kubernetes_validate.latest_version()
"""`preStop.sleep` is on from 1.30."""

FILTER = {"id": "guard", "type": "http", "url": "http://guard.travel.svc"}
WHOLE: dict[str, Any] = {
    "filters": [FILTER],
    "listener": {"output_filters": ["guard"]},
    "orchestrator": {
        "model": {"url": "https://models.example/v1", "name": "m", "access_key": "$K"}
    },
    "tracing": {"otlp_endpoint": "http://10.0.0.5:4317"},
    "deploy": {
        "name": "routing",
        "namespace": "ai",
        "image": "registry.test/outerloop:1",
        "processor": {"tls": {"san": "routing", "secret": "pair", "client_secret": "gateway"}},
    },
}


@pytest.mark.parametrize("changes", [{}, WHOLE, {"deploy": {"max_replicas": 2}}])
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_knows_the_objects(
    make_source: Make, changes: dict[str, Any], version: str
) -> None:
    for each in render(make_source(**changes)).documents:
        kubernetes_validate.validate(dict(each), version, strict=True)


def test_the_schemas_refuse_what_is_wrong(make_source: Make) -> None:
    deployment = dict(render(make_source()).documents[5])
    deployment["spec"] = {**deployment["spec"], "replica": 2}
    with pytest.raises(kubernetes_validate.ValidationError, match="replica"):
        kubernetes_validate.validate(deployment, NEWEST, strict=True)


def test_there_is_everything_in_the_order_of_its_application(make_source: Make) -> None:
    kinds = [each["kind"] for each in render(make_source()).documents]
    assert kinds == [
        "ServiceAccount",
        "ConfigMap",
        "NetworkPolicy",
        "Service",
        "Service",
        "Deployment",
        "PodDisruptionBudget",
        "HorizontalPodAutoscaler",
    ]
    fixed = render(make_source(deploy={"replicas": 3, "max_replicas": 3})).documents
    assert [each["kind"] for each in fixed] == kinds[:-1]


def test_objects_go_where_the_file_says_and_do_not_meet(make_source: Make) -> None:
    documents = render(make_source(**WHOLE)).documents
    about = [(each["kind"], each["metadata"]["name"]) for each in documents]
    assert len(set(about)) == len(about)
    assert {each["metadata"]["namespace"] for each in documents} == {"ai"}


def test_selectors_find_the_pods(make_source: Make) -> None:
    documents = render(make_source(**WHOLE)).documents
    [deployment] = [each for each in documents if each["kind"] == "Deployment"]
    labels = deployment["spec"]["template"]["metadata"]["labels"].items()
    for each in documents:
        spec = each.get("spec", {})
        if each["kind"] == "Service":
            assert spec["selector"].items() <= labels
        if each["kind"] in {"PodDisruptionBudget", "Deployment"}:
            assert spec["selector"]["matchLabels"].items() <= labels
        if each["kind"] == "NetworkPolicy":
            assert spec["podSelector"]["matchLabels"].items() <= labels


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"deploy": {"name": "2fast"}}, "deploy.name"),
        ({"deploy": {"processor": {"tls": {"san": "a"}}}}, "deploy.processor.tls.secret"),
        ({"deploy": {"processor": {"addresses": ["unix:/a"]}}}, "deploy.processor.addresses"),
        (
            {"orchestrator": {"model": {"url": "http://m.test", "name": "m", "access_key": "key"}}},
            "orchestrator.model.access_key",
        ),
    ],
)
def test_what_cannot_be_rendered_is_named(
    make_source: Make, changes: dict[str, Any], key: str
) -> None:
    with pytest.raises(Unrenderable) as refused:
        render(make_source(**changes))
    assert str(refused.value).startswith(f"{key}: ")


FILE = """
version: v1
agents:
  - {id: a, url: "http://$A_HOST", access_key: $A_KEY, headers: {x-team: $TEAM}}
  - {id: b, url: "http://$B_HOST:8080", headers: {authorization: "Bearer ${TOKEN}"}}
filters: [{id: guard, type: http, url: $GUARD}]
orchestrator: {model: {url: $MODEL, name: $MODEL_NAME, access_key: $MODEL_KEY}}
listeners: [{name: l, port: 1, input_filters: [guard], agents: [{id: a}, {id: b}]}]
tracing: {otlp_endpoint: $OTLP, span_attributes: {static: {team: $TEAM}}}
"""
SECRETS = st.text("0123456789abcdef", min_size=12, max_size=16).map(lambda text: f"s3cret{text}")
HOSTS = st.one_of(
    st.ip_addresses(v=4).map(str).filter(lambda text: len(text) >= 9),
    SECRETS,
    SECRETS.map(lambda text: f"a.{text}.svc"),
    SECRETS.map(lambda text: f"{text}.example"),
)
URLS = HOSTS.map(lambda host: f"http://{host}:47113")


@given(
    st.fixed_dictionaries(
        dict.fromkeys(("A_KEY", "TEAM", "TOKEN", "MODEL_NAME", "MODEL_KEY"), SECRETS)
        | dict.fromkeys(("A_HOST", "B_HOST"), HOSTS)
        | dict.fromkeys(("GUARD", "MODEL", "OTLP"), URLS)
    )
)
def test_no_value_of_the_environment_is_rendered(environ: dict[str, str]) -> None:
    config = loads(FILE, "outerloop.yaml", environ).config
    made = render(Source(config, FILE, tuple(environ)))
    shown = yaml.safe_dump_all(made.documents) + "\n".join(made.notes)
    hosts = [url.removeprefix("http://").partition(":")[0] for url in environ.values()]
    assert [value for value in (*environ.values(), *hosts) if value in shown] == []
