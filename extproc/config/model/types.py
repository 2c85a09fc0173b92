"""Value types of the YAML, and the base of every section.

Messages of the validators are what a person reads: they say what is expected and never quote the
value, which may have come from the environment.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    ValidationInfo,
)

from extproc.names import AGENT_ID

LONGEST_DURATION: Final = timedelta(days=365)
SHORTEST_DURATION: Final = timedelta(milliseconds=1)
LARGEST_SIZE: Final = 2**30
"""Envoy's buffer limits have 32 bits, and gRPC messages 31."""

_DURATION: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(ms|s|m|h)")
_DURATION_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SIZE: Final = re.compile(r"([0-9]{1,18})\s*(B|KB|MB|GB|KiB|MiB|GiB)?")
_SIZE_UNITS: Final = {
    None: 1,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}
_HOST: Final = re.compile(r"[A-Za-z0-9_.-]+")
_URL_PATH: Final = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*")
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BLANK: Final = re.compile(r"[\x00-\x20\x7f]")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Section(BaseModel):
    """A mapping of the YAML: immutable, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def parse_duration(value: Any) -> timedelta:  # noqa: ANN401 - whatever YAML gives
    """Read `250ms`, `30s`, `5m`, `1h`, or a number of seconds. Raises ValueError."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match:
        seconds = float(match[1]) * _DURATION_UNITS[match[2]]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value
    else:
        raise ValueError("must be a number with a unit, such as 250ms, 30s, 5m or 1h")
    if not SHORTEST_DURATION.total_seconds() <= seconds <= LONGEST_DURATION.total_seconds():
        raise ValueError("must be between 1ms and 8760h")
    return timedelta(seconds=seconds)


def parse_size(value: Any) -> int:  # noqa: ANN401 - whatever YAML gives
    """Read `32MiB`, `500KB` or a number of bytes. Raises ValueError."""
    match = _SIZE.fullmatch(str(value)) if isinstance(value, str | int) else None
    if match is None or isinstance(value, bool):
        raise ValueError("must be a number with a unit, such as 500KB, 32MiB or 1GiB")
    size = int(match[1]) * _SIZE_UNITS[match[2]]
    if not 1 <= size <= LARGEST_SIZE:
        raise ValueError("must be between 1B and 1GiB")
    return size


def parse_identifier(value: str) -> str:
    """Check the form of an id. Raises ValueError."""
    if not AGENT_ID.fullmatch(value):
        raise ValueError("must be 1 to 64 letters, digits, `-` or `_`")
    return value


def parse_url(value: str) -> str:
    """Check that `value` is an http or https URL of host, port and path. Raises ValueError."""
    if _BLANK.search(value):
        raise ValueError("must be a URL, without blanks")  # urlsplit drops tabs and line ends
    try:
        url = urlsplit(value)
        port = url.port
    except ValueError:
        raise ValueError("must be a URL; its host or port is not valid") from None
    if url.scheme not in ("http", "https"):
        raise ValueError("must be a URL that begins with http:// or https://")
    if "@" in url.netloc:
        raise ValueError("must be a URL without user name and password; use `access_key`")
    if url.query or url.fragment or value.endswith(("?", "#")):
        raise ValueError("must be a URL without query and fragment")
    if port == 0 or url.netloc.endswith(":") or not _host_is_valid(url):
        raise ValueError("must be a URL; its host or port is not valid")
    if not _URL_PATH.fullmatch(url.path):
        raise ValueError("must be a URL; its path has a character that must be %-encoded")
    return value


def _host_is_valid(url: SplitResult) -> bool:
    host = url.hostname or ""
    if ":" not in host:
        return _HOST.fullmatch(host) is not None
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def parse_header_name(value: str) -> str:
    """Check an HTTP header name and return it in lower case. Raises ValueError."""
    if not _HEADER_NAME.fullmatch(value):
        raise ValueError("must be an HTTP header name")
    return value.lower()


def parse_added_header(value: str) -> str:
    """Check the name of a header that a file may add to requests. Raises ValueError."""
    name = parse_header_name(value)
    if name.startswith(("x-outerloop-", "x-envoy-")) or name in _FRAMING_HEADERS:
        raise ValueError("must not be a header that the gateway sets by itself")
    return name


_FRAMING_HEADERS: Final = frozenset(
    ("host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "keep-alive")
)


def parse_forwarded_header(value: str) -> str:
    """Check the name of a header that a file may pass on beside a body. Raises ValueError."""
    name = parse_added_header(value)
    if name.startswith("content-") or name in _OF_THE_MESSAGE:
        raise ValueError("must not be a header that speaks of the message itself")
    return name


_OF_THE_MESSAGE: Final = frozenset(("accept-encoding", "expect", "traceparent", "x-request-id"))


def parse_header_value(value: str) -> str:
    """Check the value of a header. Raises ValueError."""
    if _CONTROL.search(value) or value != value.strip():
        raise ValueError("must be text without control characters and without blanks around it")
    return value


def parse_secret(value: SecretStr) -> SecretStr:
    """Check a secret that is sent in a header. Raises ValueError."""
    if not value.get_secret_value():
        raise ValueError("must not be empty")
    parse_header_value(value.get_secret_value())
    return value


def parse_ip_address(value: str) -> str:
    """Check an address to listen on; `localhost` is 127.0.0.1. Raises ValueError."""
    if value == "localhost":
        return "127.0.0.1"
    try:
        ipaddress.ip_address(value)
    except ValueError:
        raise ValueError("must be an IP address, such as 127.0.0.1 or 0.0.0.0") from None
    return value


def absolute(value: str, info: ValidationInfo) -> str:
    """Make a path absolute: relative ones start at the folder of the configuration file."""
    if not value or "\0" in value:
        raise ValueError("must be the path of a file")
    base: Path | None = (info.context or {}).get("base_dir")
    return str(base / value) if base else value


def duration_text(value: timedelta) -> str:
    """Write a duration in the largest unit that leaves no fraction: `5m`, `1500ms`."""
    milliseconds = round(value.total_seconds() * 1000)
    for unit in ("h", "m", "s"):
        length = round(_DURATION_UNITS[unit] * 1000)
        if milliseconds % length == 0:
            return f"{milliseconds // length}{unit}"
    return f"{milliseconds}ms"


def size_text(value: int) -> str:
    """Write a size in the largest binary unit that leaves no fraction: `32MiB`."""
    for unit in ("GiB", "MiB", "KiB"):
        if value % _SIZE_UNITS[unit] == 0:
            return f"{value // _SIZE_UNITS[unit]}{unit}"
    return f"{value}B"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(duration_text, when_used="json"),
]
Size = Annotated[int, BeforeValidator(parse_size), PlainSerializer(size_text, when_used="json")]
Identifier = Annotated[str, AfterValidator(parse_identifier)]
Url = Annotated[str, AfterValidator(parse_url)]
HeaderName = Annotated[str, AfterValidator(parse_header_name)]
AddedHeader = Annotated[str, AfterValidator(parse_added_header)]
ForwardedHeader = Annotated[str, AfterValidator(parse_forwarded_header)]
HeaderValue = Annotated[str, AfterValidator(parse_header_value)]
Secret = Annotated[
    SecretStr,
    AfterValidator(parse_secret),
    PlainSerializer(lambda _: "***", when_used="json"),
]
IpAddress = Annotated[str, AfterValidator(parse_ip_address)]
FilePath = Annotated[str, AfterValidator(absolute)]
Port = Annotated[int, Field(ge=0, le=65535)]
Percent = Annotated[float, Field(ge=0, le=100)]
Names = tuple[str, ...]
