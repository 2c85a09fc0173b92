from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from extproc.cli import run
from extproc.config.model.deploy import Deploy
from extproc.manifests.kubernetes import workload
from extproc.manifests.kubernetes.container import LEAVING
from extproc.manifests.kubernetes.workload import (
    configuration,
    deployment,
    grace_period,
    service_account,
)
from extproc.manifests.source import Source
from extproc.supervisor import stack

Make = Callable[..., Source]


def pod(source: Source) -> dict[str, Any]:
    spec: dict[str, Any] = deployment(source)["spec"]["template"]["spec"]
    return spec


def test_the_account_has_no_token() -> None:
    assert service_account(Deploy())["automountServiceAccountToken"] is False


def test_the_file_is_as_it_is_written(make_source: Make) -> None:
    source = make_source({"id": "a", "url": "http://a", "access_key": "$KEY"})
    made = configuration(source)
    assert made["data"] == {"outerloop.yaml": source.text}
    assert "immutable" not in made


@pytest.mark.parametrize("most", [2, 10])
def test_there_are_as_many_pods_from_the_start(make_source: Make, most: int) -> None:
    source = make_source(deploy={"replicas": 2, "max_replicas": most})
    assert deployment(source)["spec"]["replicas"] == 2


def test_pods_are_replaced_one_by_one_with_none_missing(make_source: Make) -> None:
    spec = deployment(make_source())["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"].items() <= labels.items()


def test_pods_are_nobody(make_source: Make) -> None:
    made = pod(make_source(deploy={"name": "r"}))
    assert made["serviceAccountName"] == "r"
    assert made["automountServiceAccountToken"] is False
    assert made["enableServiceLinks"] is False
    security = made["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] > 0
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}


def test_pods_are_spread(make_source: Make) -> None:
    over = [each["topologyKey"] for each in pod(make_source())["topologySpreadConstraints"]]
    assert over == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]


def test_each_mount_has_its_volume(make_source: Make) -> None:
    tls = {"processor": {"tls": {"san": "r", "secret": "pair"}}}
    for source in (make_source(), make_source(deploy=tls)):
        made = pod(source)
        [container] = made["containers"]
        mounts = [each["name"] for each in container["volumeMounts"]]
        assert mounts == [each["name"] for each in made["volumes"]]


def test_the_key_is_readable_by_the_group_of_the_pod(make_source: Make) -> None:
    tls = {"processor": {"tls": {"san": "r", "secret": "pair"}}}
    made = pod(make_source(deploy=tls))
    assert made["volumes"][-1]["secret"] == {"secretName": "pair", "defaultMode": 0o440}
    assert made["securityContext"]["fsGroup"] == made["securityContext"]["runAsGroup"]


def test_the_scratch_folder_is_memory_with_a_limit(make_source: Make) -> None:
    _, scratch = pod(make_source())["volumes"]
    assert scratch["emptyDir"] == {"medium": "Memory", "sizeLimit": "64Mi"}


@pytest.mark.parametrize("timeout", ["1s", "200s"])
def test_a_pod_is_not_killed_while_it_drains(make_source: Make, timeout: str) -> None:
    """Kubernetes counts from the beginning of `preStop`."""
    source = make_source(listener={"decision_timeout": timeout})
    [container] = pod(source)["containers"]
    assert container["lifecycle"]["preStop"]["sleep"]["seconds"] == LEAVING
    drain = int(container["args"][container["args"].index("--drain-time") + 1])
    takes = LEAVING + run._DRAIN_NOTICE + drain + stack._STOP_TIMEOUT
    assert takes < grace_period(source) == pod(source)["terminationGracePeriodSeconds"]
    assert workload._NOTICE == run._DRAIN_NOTICE


def test_metrics_are_found(make_source: Make) -> None:
    annotations = deployment(make_source())["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == "9902"
    assert "checksum/config" not in annotations
