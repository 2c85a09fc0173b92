"""The package's layers: a module imports lower layers or its own package, nothing else."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

LAYERS = (
    (
        # One package, though in single modules: they import each other.
        (
            "extproc.address",
            "extproc.availability",
            "extproc.calls",
            "extproc.certificates",
            "extproc.forwarding",
            "extproc.heap",
            "extproc.names",
            "extproc.off_loop",
            "extproc.origin",
            "extproc.deadlines",
            "extproc.budget",
            "extproc.errors",
            "extproc.http",
            "extproc.json_document",
            "extproc.json_scan",
            "extproc.json_strings",
            "extproc.conversation",
            "extproc.plan",
            "extproc.plugins",
            "extproc.capturing",
            "extproc.recording",
            "extproc.request_span",
            "extproc.spans",
            "extproc.otlp",
            "extproc.traced",
            "extproc.logs",
            "extproc.traceparent",
            "extproc.verdict",
        ),
    ),
    (("extproc.stream",), ("extproc.config",), ("extproc.apis",)),
    (
        ("extproc.orchestrator",),
        ("extproc.rules",),
        ("extproc.signals",),
        ("extproc.envoyconf",),
    ),
    (("extproc.filters",),),
    (
        (
            "extproc.admission",
            "extproc.answering",
            "extproc.deciding",
            "extproc.exchange",
            "extproc.explaining",
            "extproc.memory",
            "extproc.pipeline",
            "extproc.runtime",
            "extproc.steps",
        ),
        ("extproc.evaluation",),
        ("extproc.envoyconf.resources",),
    ),
    (
        ("extproc.egress",),
        ("extproc.server",),
        ("extproc.telemetry",),
        ("extproc.supervisor",),
        ("extproc.envoyconf.render",),
        ("extproc.doctor",),
    ),
    # Objects that hold what Envoy reads.
    (("extproc.manifests",),),
    (("extproc.cli",), ("extproc.worker", "extproc.control", "extproc.generations")),
)
"""From the lowest up, the packages of each layer, by the prefixes of their modules."""

CONFINED = {
    "extproc._pb": ("extproc.server.wire",),
    "betterproto2": ("extproc.envoyconf.resources", "extproc.envoyconf.render"),
    "envoy_data_plane": ("extproc.envoyconf.resources", "extproc.envoyconf.render"),
    "grpc": ("extproc.server", "extproc.cli"),
    "grpc_health": ("extproc.server", "extproc.cli"),
}
"""What only some packages may import: slow to import, or somebody else's data model."""


def within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def find_modules() -> dict[str, Path]:
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sorted((ROOT / "extproc").rglob("*.py"))
    }
    return {name: path for name, path in names.items() if not within(name, "extproc._pb")}


MODULES = find_modules()


def place(module: str) -> tuple[int, tuple[str, ...]] | None:
    """Return the layer and the package of a module: those of the longest prefix."""
    matches = [
        (len(prefix), layer, package)
        for layer, packages in enumerate(LAYERS)
        for package in packages
        for prefix in package
        if within(module, prefix)
    ]
    return max(matches)[1:] if matches else None


def imports(module: str) -> Iterator[str]:
    """Yield what a module imports, wherever in it the statement stands."""
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in MODULES else str(node.module)


def allowed(module: str, imported: str) -> bool:
    for library, users in CONFINED.items():
        if within(imported, library):
            return within(module, *users)
    here, there = place(module), place(imported)
    if here is None or there is None:
        return not within(imported, "extproc")
    return here[1] == there[1] or there[0] < here[0]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_lies_below(module: str) -> None:
    assert [name for name in imports(module) if not allowed(module, name)] == []


def test_every_module_with_code_has_a_layer() -> None:
    assert {name for name in MODULES if place(name) is None} == {"extproc"}


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("extproc.server.servicer", {"envoy_data_plane", "betterproto2"}),
        ("extproc.server.lifecycle", {"envoy_data_plane", "betterproto2"}),
        ("extproc.cli.app", {"envoy_data_plane", "grpc", "aiohttp", "numpy"}),
    ],
)
def test_starting_stays_light(module: str, heavy: set[str]) -> None:
    code = f"import sys, {module}; print(*sorted({heavy!r} & set(sys.modules)))"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout.strip()) == (0, ""), result.stderr
