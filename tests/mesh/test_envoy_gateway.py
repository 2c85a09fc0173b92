"""What is Envoy Gateway's own: whatever its manifests say that the suite does not ask for."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trustme
import yaml

from tests.certificates import issue
from tests.e2e.conftest import OUTERLOOP
from tests.mesh.envoy_gateway import EnvoyGateway, config_map, referred, secret

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, Seen
    from tests.mesh.harness import Gateway, Manifest

    Travel = Callable[..., str]
    Echoes = dict[str, EchoAgent]

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
EVERY = Path(__file__).parents[1] / "unit/manifests/envoy_gateway/every.yaml"
KEY = "never-rendered"


@pytest.fixture(autouse=True)
def plane(gateway: Gateway) -> Iterator[EnvoyGateway]:
    if not isinstance(gateway.plane, EnvoyGateway):
        pytest.skip("of Envoy Gateway alone")
    yield gateway.plane
    gateway.plane.others = []


def asking(agent: str = "", text: str = "hello") -> dict[str, Any]:
    return {"model": agent, "messages": [{"role": "user", "content": text}], "max_tokens": 1}


def changed(text: str, change: Callable[[dict[str, Any]], None]) -> str:
    document = yaml.safe_load(text)
    change(document)
    return yaml.safe_dump(document)


def with_agent(text: str, **keys: Any) -> str:
    """Return a configuration whose hotel agent has other keys; null takes one away."""

    def change(document: dict[str, Any]) -> None:
        (agent,) = (each for each in document["agents"] if each["id"] == "hotel_agent")
        agent.update(keys)
        for key in [key for key, value in agent.items() if value is None]:
            del agent[key]

    return changed(text, change)


def named(manifests: Iterable[Manifest], kind: str, part: str) -> Any:
    (found,) = (
        each for each in manifests if each["kind"] == kind and part in each["metadata"]["name"]
    )
    return found


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


def kept(
    manifests: Iterable[Manifest], authority: trustme.CA, namespace: str, *names: str
) -> list[Manifest]:
    """Return all Secrets and ConfigMaps that manifests refer to: a certificate, and a key."""
    certificate = issue(authority, *names)
    bundle = {"ca.crt": authority.cert_pem.bytes().decode()}
    pair = {"tls.crt": certificate.chain.decode(), "tls.key": certificate.key.decode()}
    return [
        config_map(name, bundle, namespace)
        if kind == "ConfigMap"
        else secret(name, {**bundle, **pair, "credential": KEY}, namespace)
        for kind, name in sorted(referred(manifests))
    ]


def test_all_that_can_be_rendered_is_valid(
    gateway: Gateway, plane: EnvoyGateway, authority: trustme.CA
) -> None:
    # Envoy Gateway reads files by its definitions, rules in CEL included.
    manifests = gateway.render(EVERY.read_text(), {"KEY": KEY, "TOKEN": KEY})
    assert KEY not in json.dumps(manifests)
    for each in manifests:
        # In this mode Envoy Gateway 1.9 dies of a number that Kubernetes gives this by default.
        if each["spec"].get("loadBalancer", {}).get("type") == "ConsistentHash":
            del each["spec"]["loadBalancer"]
    gateway.clear()
    before = len(plane.output)
    plane.hand_over([*manifests, *kept(manifests, authority, "agents", "example.com")])
    # The last of the routes, and of the policies if they are there.
    last = ("agents/loop-call-filter-rewriter", "agents/loop-decide-careless")
    gateway.eventually(
        lambda: all(each in plane.output[before:] for each in last) and not refused(plane),
        "every object is accepted",
    )
    assert "local validation error" not in plane.output[before:]


def refused(plane: EnvoyGateway) -> list[str]:
    """Return what is refused, but for Services: in this mode Envoy Gateway knows none."""
    return [each for each in plane.refusals if "BackendNotFound" not in each]


def test_a_key_is_sent_instead_of_the_callers(
    http: httpx.Client,
    gateway: Gateway,
    plane: EnvoyGateway,
    travel_yaml: Travel,
    seen: Callable[[Any], Seen],
) -> None:
    text = with_agent(travel_yaml(), access_key="$KEY")
    manifests = gateway.render(text, {"KEY": KEY})
    assert KEY not in json.dumps(manifests)
    bearer, raw = sorted(name for _, name in referred(manifests))
    plane.others = [
        secret(bearer, {"credential": f"Bearer {KEY}"}),
        secret(raw, {"credential": KEY}),
    ]
    gateway.run(text, {"KEY": KEY})
    own = {"authorization": "Bearer caller", "x-api-key": "caller"}
    for path, expected in (
        (CHAT, (f"Bearer {KEY}", None)),
        (MESSAGES, (None, KEY)),
    ):
        answer = http.post(gateway.url + path, json=asking("hotel_agent"), headers=own)
        request = seen(answer.json())
        assert (request.header("authorization"), request.header("x-api-key")) == expected
        answer = http.post(gateway.url + path, json=asking("flight_agent"), headers=own)
        request = seen(answer.json())
        assert request.header("authorization") == "Bearer caller"


def test_headers_are_added_and_those_from_the_environment_are_not_rendered(
    http: httpx.Client,
    gateway: Gateway,
    plane: EnvoyGateway,
    travel_yaml: Travel,
    seen: Callable[[Any], Seen],
) -> None:
    headers = {"x-team": "50% of it", "x-token": "$TOKEN"}
    text = with_agent(travel_yaml(), headers=headers, forward_authorization=False)
    manifests = gateway.render(text, {"TOKEN": KEY})
    assert KEY not in json.dumps(manifests)
    ((_, name),) = referred(manifests)
    plane.others = [secret(name, {"credential": KEY})]
    gateway.run(text, {"TOKEN": KEY})
    forged = {"x-team": "forged", "x-token": "forged", "authorization": "Bearer caller"}
    answer = http.post(gateway.url + CHAT, json=asking("hotel_agent"), headers=forged)
    request = seen(answer.json())
    assert request.all("x-team") == ["50% of it"]
    assert request.all("x-token") == [KEY]
    assert request.header("authorization") is None


def test_variants_get_their_shares_and_are_named(
    http: httpx.Client, gateway: Gateway, travel_yaml: Travel, echo_agents: Echoes
) -> None:
    variants = [
        {"id": "stable", "weight": 50, "url": echo_agents["weather_agent"].url},
        {"id": "canary", "weight": 50, "url": echo_agents["flight_agent"].url},
        {"id": "off", "weight": 0, "url": "http://127.0.0.1:9"},
    ]
    text = with_agent(
        travel_yaml(more="observability: {response_headers: full}"), url=None, variants=variants
    )
    gateway.run(text)
    served = {"stable": "weather_agent", "canary": "flight_agent"}
    found = set()
    for _ in range(60):
        answer = http.post(gateway.url + CHAT, json=asking("hotel_agent"))
        variant = answer.headers["x-outerloop-variant"]
        assert answer.json()["agent"] == served[variant]
        found.add(variant)
    assert found == set(served)


def test_a_dead_host_is_left_for_another_one(
    http: httpx.Client,
    gateway: Gateway,
    travel_yaml: Travel,
    echo_agents: Echoes,
    free_ports: Callable[[int], list[int]],
) -> None:
    nobody = f"http://127.0.0.1:{free_ports(1)[0]}"
    alive = echo_agents["flight_agent"].url
    text = with_agent(travel_yaml(), url=None, endpoints=[nobody, alive])
    gateway.run(text)
    for _ in range(20):
        assert http.post(gateway.url + CHAT, json=asking("hotel_agent")).status_code == 200


def test_failover_hosts_are_used_when_the_first_are_dead(
    http: httpx.Client,
    gateway: Gateway,
    travel_yaml: Travel,
    echo_agents: Echoes,
    free_ports: Callable[[int], list[int]],
) -> None:
    nobody = f"http://127.0.0.1:{free_ports(1)[0]}"
    spare = echo_agents["weather_agent"].url
    gateway.run(with_agent(travel_yaml(), url=nobody, failover=[spare]))
    for _ in range(10):
        answer = http.post(gateway.url + CHAT, json=asking("hotel_agent"))
        assert answer.json()["agent"] == "weather_agent"
    # The first one is asked while it lives.
    first = echo_agents["hotel_agent"].url
    gateway.run(with_agent(travel_yaml(), url=first, failover=[spare]))
    gateway.eventually(
        lambda: (
            http.post(gateway.url + CHAT, json=asking("hotel_agent")).json()["agent"]
            == "hotel_agent"
        ),
        "the new hosts",
    )


def test_statuses_are_tried_again_where_they_are_named(
    http: httpx.Client, gateway: Gateway, travel_yaml: Travel, echo_agents: Echoes
) -> None:
    retries = {"num_retries": 2, "retry_on": [429]}
    gateway.run(with_agent(travel_yaml(), retries=retries))
    for status, tries in ((429, 3), (503, 1)):
        echo_agents["hotel_agent"].forget()
        wish = {"x-test-status": str(status)}
        answer = http.post(gateway.url + CHAT, json=asking("hotel_agent"), headers=wish)
        assert answer.status_code == status
        assert len(echo_agents["hotel_agent"].requests()) == tries


def test_copies_are_sent_without_the_key(
    http: httpx.Client,
    gateway: Gateway,
    plane: EnvoyGateway,
    travel_yaml: Travel,
    echo_agents: Echoes,
) -> None:
    mirror = {"url": echo_agents["weather_agent"].url, "percent": 100}
    text = with_agent(travel_yaml(), mirror=mirror, access_key="$KEY")
    names = [name for _, name in referred(gateway.render(text, {"KEY": KEY}))]
    plane.others = [secret(name, {"credential": KEY}) for name in names]
    gateway.run(text, {"KEY": KEY})
    echo_agents["weather_agent"].forget()
    answer = http.post(gateway.url + CHAT, json=asking("hotel_agent"))
    assert answer.json()["agent"] == "hotel_agent"
    gateway.eventually(lambda: bool(echo_agents["weather_agent"].requests()), "a copy")
    (copy,) = echo_agents["weather_agent"].requests()
    assert KEY not in str(copy.headers)
    assert json.loads(copy.body)["model"] == "hotel_agent"


ANSWER = {"choices": [{"message": {"role": "assistant", "content": "Write to joe@example.com."}}]}


def test_answers_are_filtered_and_those_of_other_agents_pass(
    http: httpx.Client, gateway: Gateway, travel_yaml: Travel
) -> None:
    def change(document: dict[str, Any]) -> None:
        document["filters"] = [{"id": "personal", "type": "builtin", "use": "pii"}]
        document["listeners"][0]["agents"][2]["output_filters"] = ["personal"]

    gateway.run(changed(travel_yaml(), change))
    wish = {"x-test-body": json.dumps(json.dumps(ANSWER)), "accept-encoding": "gzip"}
    answer = http.post(gateway.url + CHAT, json=asking("hotel_agent"), headers=wish)
    assert answer.status_code == 200
    assert "[email]" in answer.text
    assert "joe@" not in answer.text
    answer = http.post(gateway.url + CHAT, json=asking("flight_agent"), headers=wish)
    assert answer.json() == ANSWER
    # Of a stream, too, each event goes on by itself.
    wish = {"x-request-id": "filtered", "x-test-sse": "3,0", "x-test-hold": "now"}
    with http.stream(
        "POST", gateway.url + CHAT, json={**asking("flight_agent"), "stream": True}, headers=wish
    ) as stream:
        lines = stream.iter_lines()
        assert '"number": 0' in next(lines)
        httpx.post(f"{_agent_url(travel_yaml(), 'flight_agent')}/release/filtered")
        assert "[DONE]" in "".join(lines)


def _agent_url(text: str, agent: str) -> str:
    return str(next(x["url"] for x in yaml.safe_load(text)["agents"] if x["id"] == agent))


def test_the_default_agent_where_the_processor_is_gone(
    http: httpx.Client, gateway: Gateway, travel_yaml: Travel, seen: Callable[[Any], Seen]
) -> None:
    gateway.run(travel_yaml(listener="on_unavailable: default_agent"))
    answer = http.post(gateway.url + CHAT, json=asking("hotel_agent"))
    assert answer.json()["agent"] == "hotel_agent"
    gateway.stop_serving()
    forged = {"x-outerloop-agent": "hotel_agent"}
    answer = http.post(gateway.url + CHAT, json=asking("hotel_agent"), headers=forged)
    request = seen(answer.json())
    assert request.agent == "weather_agent"
    assert request.header("x-outerloop-source") == "fallback"
    assert answer.headers["x-outerloop-agent"] == "weather_agent"
    assert answer.headers["x-outerloop-source"] == "fallback"
    assert http.get(gateway.url + CHAT).status_code == 503
    assert http.post(gateway.url + "/v1/embeddings", json=asking()).status_code == 503


def test_decisions_are_observed_on_a_route_of_others(
    http: httpx.Client, gateway: Gateway, travel_yaml: Travel, seen: Callable[[Any], Seen]
) -> None:
    gateway.clear()
    text = travel_yaml(listener="mode: observe")
    gateway.configure(text)
    name = "outerloop-agent-weather"
    theirs = [
        of("gateway.networking.k8s.io/v1", "Gateway", name, their_gateway(gateway.port)),
        of("gateway.networking.k8s.io/v1", "HTTPRoute", name, their_route(name)),
        of("gateway.envoyproxy.io/v1alpha1", "Backend", name, their_backend(travel_yaml())),
    ]
    # Envoy Gateway reads no labels from files.
    target = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": name}
    ours = gateway.render(text)
    for each in ours:
        if "targetSelectors" in each["spec"]:
            (selector,) = each["spec"].pop("targetSelectors")
            assert selector["matchLabels"] == {"outerloop/watched": "travel"}
            each["spec"]["targetRefs"] = [target]
    gateway.plane.apply([*ours, *theirs])
    gateway.serve()
    # More than Envoy Gateway holds by itself.
    body = asking("hotel_agent", text="hello " * 20_000)
    gateway.eventually(
        lambda: (
            seen(http.post(gateway.url + CHAT, json=body).json()).header("x-outerloop-agent")
            == "hotel_agent"
        ),
        "a decision",
    )
    answer = http.post(gateway.url + CHAT, json=body)
    assert (seen(answer.json()).agent, answer.status_code) == ("weather_agent", 200)
    gateway.stop_serving()
    request = seen(http.post(gateway.url + CHAT, json=body).json())
    assert (request.agent, request.header("x-outerloop-agent")) == ("weather_agent", None)


def of(api: str, kind: str, name: str, spec: Mapping[str, Any]) -> Manifest:
    about = {"name": name, "namespace": "default"}
    return {"apiVersion": api, "kind": kind, "metadata": about, "spec": spec}


def their_gateway(port: int) -> Mapping[str, Any]:
    listener = {"name": "theirs", "port": port, "protocol": "HTTP"}
    return {"gatewayClassName": "mesh", "listeners": [listener]}


def their_route(name: str) -> Mapping[str, Any]:
    backend = {"group": "gateway.envoyproxy.io", "kind": "Backend", "name": name}
    return {"parentRefs": [{"name": name}], "rules": [{"backendRefs": [backend]}]}


def their_backend(text: str) -> Mapping[str, Any]:
    port = int(_agent_url(text, "weather_agent").rpartition(":")[2])
    return {"endpoints": [{"ip": {"address": "127.0.0.1", "port": port}}]}


def test_earlier_agents_and_filters_are_called_through_a_gateway_of_their_own(
    gateway: Gateway,
    plane: EnvoyGateway,
    travel_yaml: Travel,
    echo_agents: Echoes,
    free_ports: Callable[[int], list[int]],
) -> None:
    (port,) = free_ports(1)

    def change(document: dict[str, Any]) -> None:
        document["egress"] = {"url": f"http://127.0.0.1:{port}"}
        document["agents"][0] |= {
            "access_key": "$KEY",
            "url": f"{document['agents'][0]['url']}/base",
        }

    text = changed(travel_yaml(), change)
    names = [name for _, name in referred(gateway.render(text, {"KEY": KEY}))]
    plane.others = [secret(name, {"credential": KEY}) for name in names]
    gateway.run(text, {"KEY": "another one"})
    gateway.eventually(lambda: _listens(port), "the way out")
    wish = {"x-test-body": json.dumps(json.dumps(ANSWER)), "x-test-at": "weather_agent"}
    body = asking(text="What is the weather in Rome, and find me a flight to Rome")
    del body["model"]
    echo_agents["weather_agent"].forget()
    answer = httpx.post(gateway.url + CHAT, json=body, headers=wish)
    assert answer.headers["x-outerloop-plan"] == "weather_agent,flight_agent", answer.text
    (first,) = echo_agents["weather_agent"].requests()
    # The gateway's key, not the one that the processor was started with.
    assert (first.target, first.header("authorization")) == (f"/base{CHAT}", KEY)
    assert first.header("x-outerloop-target") is None


def _listens(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/")
    except httpx.TransportError:
        return False
    return True


def test_clients_are_spoken_to_by_tls(
    gateway: Gateway,
    plane: EnvoyGateway,
    travel_yaml: Travel,
    authority: trustme.CA,
    tmp_path: Path,
) -> None:
    certificate = issue(authority, "127.0.0.1")
    files = {"certificate": certificate.chain, "key": certificate.key}
    files["client_ca"] = authority.cert_pem.bytes()
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    def change(document: dict[str, Any]) -> None:
        tls = {name: str(tmp_path / name) for name in files}
        document["listeners"][0]["tls"] = tls

    text = changed(travel_yaml(), change)
    plane.others = kept(gateway.render(text), authority, "default", "127.0.0.1")
    gateway.clear()
    gateway.configure(text)
    gateway.apply(text)
    gateway.serve()
    url = f"https://127.0.0.1:{gateway.port}{CHAT}"
    known = ssl.create_default_context(cafile=str(tmp_path / "client_ca"))
    unknown = ssl.create_default_context(cafile=str(tmp_path / "client_ca"))
    known.load_cert_chain(tmp_path / "certificate", tmp_path / "key")

    def ask(client: ssl.SSLContext) -> int:
        try:
            return httpx.post(url, json=asking("flight_agent"), verify=client).status_code
        except httpx.TransportError:
            return 0

    gateway.eventually(lambda: ask(known) == 200, "an answer by TLS")
    assert ask(unknown) == 0
    gateway.stop_serving()


def test_the_processor_must_have_the_name_that_is_asked_for(
    gateway: Gateway,
    plane: EnvoyGateway,
    travel_yaml: Travel,
    authority: trustme.CA,
    tmp_path: Path,
) -> None:
    def change(document: dict[str, Any], san: str) -> None:
        tls = {"san": san, "secret": "processor-tls", "client_secret": "gateway-tls"}
        document["deploy"] = {"processor": {"tls": tls}}

    right, wrong = (
        changed(travel_yaml(), partial(change, san=san))
        for san in ("processor.example.com", "another.example.com")
    )
    certificate = issue(authority, "processor.example.com")
    files = {"tls.crt": certificate.chain, "tls.key": certificate.key}
    files["ca.crt"] = authority.cert_pem.bytes()
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    data = {name: content.decode() for name, content in files.items()}
    plane.others = [secret("processor-tls", data), secret("gateway-tls", data)]
    gateway.clear()
    gateway.configure(right)
    gateway.apply(right)
    gateway.serve(
        *("--tls-certificate", str(tmp_path / "tls.crt"), "--tls-key", str(tmp_path / "tls.key")),
        *("--tls-client-ca", str(tmp_path / "ca.crt")),
    )
    gateway.wait_for(right)
    gateway.apply(wrong)
    gateway.eventually(
        lambda: httpx.post(gateway.url + CHAT, json=asking("flight_agent")).status_code == 503,
        "a refusal of the wrong name",
    )
    gateway.stop_serving()


def test_policies_of_the_users_run_before_the_decision_and_limits_by_agent_after_it(
    http: httpx.Client, gateway: Gateway, plane: EnvoyGateway, travel_yaml: Travel
) -> None:
    text = travel_yaml()
    api_key = {
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "SecurityPolicy",
        "metadata": {"name": "keys", "namespace": "default"},
        "spec": {
            "targetRefs": [
                {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "outerloop"}
            ],
            "apiKeyAuth": {
                "credentialRefs": [{"group": "", "kind": "Secret", "name": "clients"}],
                "extractFrom": [{"headers": ["x-client-key"]}],
            },
        },
    }
    plane.others = [api_key, secret("clients", {"acme": "sesame"})]
    manifests = gateway.render(text)
    limited = named(manifests, "BackendTrafficPolicy", "hotel-agent")
    limit = {"requests": 2, "unit": "Hour"}
    limited["spec"]["rateLimit"] = {"type": "Local", "local": {"rules": [{"limit": limit}]}}
    gateway.clear()
    gateway.configure(text)
    plane.apply(manifests)
    # Without a processor: it is not asked about who has no key.
    gateway.eventually(
        lambda: http.post(gateway.url + CHAT, json=asking()).status_code == 401, "a refusal"
    )
    known = {"x-client-key": "sesame"}
    assert http.post(gateway.url + CHAT, json=asking(), headers=known).status_code == 503
    gateway.serve()

    def statuses(agent: str) -> list[int]:
        return [
            http.post(gateway.url + CHAT, json=asking(agent), headers=known).status_code
            for _ in range(3)
        ]

    gateway.eventually(lambda: statuses("flight_agent") == [200, 200, 200], "requests pass")
    assert statuses("hotel_agent") == [200, 200, 429]
    assert statuses("flight_agent") == [200, 200, 200]


def test_the_doctor_finds_what_is_not_patched_and_nothing_else(
    gateway: Gateway, plane: EnvoyGateway, travel_yaml: Travel
) -> None:
    gateway.run(travel_yaml())
    done = subprocess.run(
        [*OUTERLOOP, "doctor", "--gateway", gateway.url, "-c", str(gateway.file)],
        capture_output=True,
        text=True,
        check=False,
    )
    expected = (0, "") if plane.patches else (1, "outerloop: wrong: trailers\n")
    assert (done.returncode, done.stderr) == expected, done.stdout
