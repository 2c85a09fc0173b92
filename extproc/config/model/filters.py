"""`filters`: guardrails, rewriting and context, before and after agents."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from pydantic import Field

from extproc.config.model.types import Duration, ForwardedHeader, Identifier, Section, Url


class Filter(Section):
    """One filter, named by listeners and agents."""

    id: Identifier = Field(description="its name")
    type: Literal["mcp", "http", "builtin"] = Field("mcp", description="how it is called")
    url: Url | None = Field(None, description="where it is; an MCP url without a path gets /mcp")
    tool: str | None = Field(None, min_length=1, description="MCP tool; default: the filter's id")
    transport: Literal["streamable-http"] = Field("streamable-http", description="MCP transport")
    use: str | None = Field(None, min_length=1, description="name of a built-in filter or plug-in")
    options: dict[str, Any] = Field({}, description="of the built-in filter or plug-in")
    mode: Literal["enforce", "shadow"] = Field("enforce", description="shadow: only record")
    timeout: Duration = Field(timedelta(seconds=5), description="of one call")
    on_error: Literal["deny", "skip"] = Field("deny", description="when it fails")
    stream: Literal["events", "whole"] = Field("events", description="what an output filter sees")
    forward_headers: tuple[ForwardedHeader, ...] = Field(
        (), description="request headers passed to it"
    )
