"""Checks of `tracing`."""

from __future__ import annotations

from collections.abc import Iterator

from extproc.config.checks.finding import Finding
from extproc.config.model.root import Config


def check_tracing(config: Config) -> Iterator[Finding]:
    """Warn of settings for spans that go nowhere."""
    if config.tracing.model_fields_set and config.tracing.otlp_endpoint is None:
        message = "has no effect without `otlp_endpoint`"
        needs = (("tracing", "otlp_endpoint"),)
        yield Finding(("tracing",), message, at_key=True, needs=needs, is_warning=True)
