"""The definitions of the Gateway API and of Envoy Gateway accept what is rendered for it.

Their rules in CEL are asked by Envoy Gateway itself: see tests/mesh/test_envoy_gateway.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from extproc.config.lenient import Lenient
from extproc.config.load import loads
from extproc.manifests.envoy_gateway.render import render
from extproc.manifests.source import Document, Source
from tests.crds import ABSENT, FOLDER, faults, validate

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=ABSENT)

ROOT = Path(__file__).parents[2]
EVERY = ROOT / "tests/unit/manifests/envoy_gateway/every.yaml"
EXAMPLES = sorted(ROOT.glob("examples/*/outerloop.yaml"))
OBSERVING = """
version: v1
agents: [{id: a, cluster: of-others}]
listeners: [{name: desk, port: 8000, mode: observe, agents: [{id: a}]}]
"""


def rendered(text: str) -> tuple[Document, ...]:
    variables = Lenient({})
    loaded = loads(text, "outerloop.yaml", variables, Path("/etc/outerloop"))
    return render(Source(loaded.config, text, tuple(variables.asked))).documents


@pytest.mark.parametrize("file", [EVERY, *EXAMPLES], ids=lambda file: file.parent.name)
def test_files_are_accepted(file: Path) -> None:
    validate(rendered(file.read_text(encoding="utf-8")))


def test_so_are_those_without_a_place_of_their_own() -> None:
    document = yaml.safe_load(EVERY.read_text(encoding="utf-8"))
    tls = {"san": "spiffe://example.com/loop", "secret": "own", "client_secret": "shown"}
    document["deploy"] = {"processor": {"tls": tls}}
    validate(rendered(yaml.safe_dump(document)))


def test_so_is_what_only_observes() -> None:
    validate(rendered(OBSERVING))


def test_every_kind_is_asked_about() -> None:
    found = {each["kind"] for each in rendered(EVERY.read_text(encoding="utf-8"))}
    assert found == {
        "Backend",
        "BackendTLSPolicy",
        "BackendTrafficPolicy",
        "ClientTrafficPolicy",
        "EnvoyExtensionPolicy",
        "EnvoyPatchPolicy",
        "EnvoyProxy",
        "Gateway",
        "GatewayClass",
        "HTTPRoute",
        "HTTPRouteFilter",
        "ReferenceGrant",
    }
    for document in rendered(EVERY.read_text(encoding="utf-8")):
        unknown = {**document, "spec": {**document["spec"], "nobodyKnows": 1}}
        assert faults([unknown]) != []
