from __future__ import annotations

import re

import pytest

from extproc.config.model.deploy import Deploy
from extproc.manifests.kubernetes import place
from extproc.manifests.source import Unrenderable

LABEL = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


@pytest.mark.parametrize("name", ["outerloop", "o", "a" * 54])
def test_every_object_of_a_name_can_be_called(name: str) -> None:
    place.check_name(name)
    for part in (place.ENVIRONMENT, place.FILES, place.HEADLESS):
        assert LABEL.fullmatch(place.named(Deploy(name=name), part))
    for what in ("client", "scrape"):
        [label] = place.allowed_by(Deploy(name=name), what)
        assert len(label) <= 63


@pytest.mark.parametrize("name", ["2fast", "a" * 55])
def test_a_name_that_no_service_may_have(name: str) -> None:
    with pytest.raises(Unrenderable, match=r"^deploy\.name: "):
        place.check_name(Deploy(name=name).name)


def test_pods_are_selected_by_what_does_not_change() -> None:
    deploy = Deploy(name="routing", namespace="ai")
    about = place.metadata(deploy)
    assert (about["name"], about["namespace"]) == ("routing", "ai")
    assert place.selector(deploy).items() < about["labels"].items()
    assert "version" not in "".join(place.selector(deploy))


def test_a_version_is_a_label_and_a_tag() -> None:
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", place.release())


def test_an_object_is_put_together() -> None:
    made = place.document("v1", "Service", {"name": "a"}, spec={})
    assert made == {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {}}
