"""As much of a Kubernetes API as Istio's control plane needs: objects of a file, listed once.

Nothing of it changes while it runs: a watch never has anything to say. What is created is said to
be, and forgotten. Usage: istio_api.py OBJECTS.yaml; it prints its port.
"""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

KINDS = {
    "configmaps": "ConfigMap",
    "customresourcedefinitions": "CustomResourceDefinition",
    "endpointslices": "EndpointSlice",
    "ingressclasses": "IngressClass",
    "ingresses": "Ingress",
    "mutatingwebhookconfigurations": "MutatingWebhookConfiguration",
    "namespaces": "Namespace",
    "nodes": "Node",
    "pods": "Pod",
    "secrets": "Secret",
    "services": "Service",
    "validatingwebhookconfigurations": "ValidatingWebhookConfiguration",
}
NAMESPACED = 2


def read(file: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the objects by their kind."""
    objects: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for number, document in enumerate(yaml.safe_load_all(file.read_text(encoding="utf-8"))):
        about = document["metadata"]
        about |= {"uid": f"{number}", "resourceVersion": "1"}
        objects[document["kind"]].append(document)
    return objects


def failure(status: int, reason: str) -> web.Response:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status}
    return web.json_response({**body, "reason": reason}, status=status)


def answer(objects: dict[str, list[dict[str, Any]]]) -> web.Application:
    async def handle(request: web.Request) -> web.StreamResponse:
        if request.path == "/version":
            return web.json_response({"major": "1", "minor": "34", "gitVersion": "v1.34.0"})
        if request.method != "GET":
            return web.json_response(await request.json(), status=201)
        root, *rest = request.path.strip("/").split("/")
        version, path = (rest[0], rest[1:]) if root == "api" else ("/".join(rest[:2]), rest[2:])
        namespace = None
        if path[0] == "namespaces" and len(path) > NAMESPACED:
            namespace, path = path[1], path[2:]
        if len(path) > 1 or path[0] not in KINDS:
            return failure(404, "NotFound")
        if "watch" in request.query:
            return await watch(request)
        kind = KINDS[path[0]]
        if "PartialObjectMetadata" in request.headers.get("accept", ""):
            version, kind = "meta.k8s.io/v1", "PartialObjectMetadata"
        items = [
            each
            for each in objects[kind]
            if namespace in (None, each["metadata"].get("namespace"))
            and "labelSelector" not in request.query
        ]
        about = {"resourceVersion": "1"}
        head = {"kind": f"{kind}List", "apiVersion": version, "metadata": about}
        return web.json_response({**head, "items": items})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    return app


async def watch(request: web.Request) -> web.StreamResponse:
    if "sendInitialEvents" in request.query:
        return failure(422, "Invalid")
    response = web.StreamResponse(headers={"content-type": "application/json"})
    await response.prepare(request)
    await asyncio.Event().wait()
    return response


async def main(file: Path) -> None:
    runner = web.AppRunner(answer(read(file)), shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)  # noqa: T201 - for the test that started it
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
