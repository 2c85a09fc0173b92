from __future__ import annotations

from extproc.config.model.deploy import Deploy
from extproc.manifests.kubernetes.services import services


def test_the_same_pods_by_one_address_and_by_one_for_each() -> None:
    one, each = services(Deploy(name="r"))
    assert (one["metadata"]["name"], each["metadata"]["name"]) == ("r", "r-headless")
    assert "clusterIP" not in one["spec"]
    assert each["spec"].pop("clusterIP") == "None"
    assert one["spec"] == each["spec"]


def test_the_port_is_grpc_without_tls() -> None:
    [port] = services(Deploy())[0]["spec"]["ports"]
    assert (port["name"], port["port"], port["targetPort"]) == ("grpc", 9001, "grpc")
    assert port["appProtocol"] == "kubernetes.io/h2c"


def test_the_port_does_not_say_cleartext_where_it_speaks_tls() -> None:
    deploy = Deploy.model_validate({"processor": {"tls": {"san": "r", "secret": "pair"}}})
    for service in services(deploy):
        [port] = service["spec"]["ports"]
        assert port["name"] == "grpc"
        assert "appProtocol" not in port
