from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, TypeAdapter, ValidationError

from extproc.config.model import types


def accepts(kind: Any, value: object) -> bool:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("250ms", 0.25),
        ("30s", 30),
        ("1.5m", 90),
        ("2h", 7200),
        (5, 5),
        (0.5, 0.5),
        ("8760h", 31536000),
    ],
)
def test_durations(value: object, seconds: float) -> None:
    assert types.parse_duration(value) == timedelta(seconds=seconds)


def test_a_duration_stays_one() -> None:
    assert types.parse_duration(timedelta(seconds=3)) == timedelta(seconds=3)


@pytest.mark.parametrize(
    "value",
    [
        *("", "5", "5 s", "-5s", "5S", "1d", "s", "٣s", "0s", "0.1ms", "8761h", "9" * 400 + "s"),
        *(0, -1, True, None, [], float("nan"), float("inf"), 10**400),
    ],
)
def test_no_durations(value: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        types.parse_duration(value)


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (5, 5),
        ("5", 5),
        ("5B", 5),
        ("2 KB", 2000),
        ("1MB", 10**6),
        ("32MiB", 2**25),
        ("1GiB", 2**30),
    ],
)
def test_sizes(value: object, size: int) -> None:
    assert types.parse_size(value) == size


@pytest.mark.parametrize(
    "value", ["", "MiB", "1.5MiB", "-1", "1mb", "2GiB", "0", 0, -1, True, 1.5, None, "9" * 5000]
)
def test_no_sizes(value: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        types.parse_size(value)


@given(st.integers(1, 31_536_000_000))
def test_durations_are_written_as_they_are_read(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)
    assert types.parse_duration(types.duration_text(duration)) == duration


@given(st.integers(1, types.LARGEST_SIZE))
def test_sizes_are_written_as_they_are_read(size: int) -> None:
    assert types.parse_size(types.size_text(size)) == size


def test_the_largest_unit_is_written() -> None:
    assert types.duration_text(timedelta(minutes=90)) == "90m"
    assert types.duration_text(timedelta(milliseconds=1500)) == "1500ms"
    assert types.size_text(32 * 2**20) == "32MiB"
    assert types.size_text(1000) == "1000B"


@pytest.mark.parametrize("value", ["a", "A-b_9", "x" * 64])
def test_identifiers(value: str) -> None:
    assert accepts(types.Identifier, value)


@pytest.mark.parametrize("value", ["", "a b", "a.b", "ä", "x" * 65, "a\n", 5])
def test_no_identifiers(value: object) -> None:
    assert not accepts(types.Identifier, value)


@pytest.mark.parametrize(
    "value",
    [
        "http://h",
        "https://h:443/",
        "http://127.0.0.1:8001/a/b%20c",
        "http://[::1]:80/v1",
        "http://my_service.ns.svc.cluster.local:8080",
        "HTTP://H",
    ],
)
def test_urls(value: str) -> None:
    assert types.parse_url(value) == value


@pytest.mark.parametrize(
    "value",
    [
        "",
        "h:80",
        "localhost",
        "//h",
        "ftp://h",
        "http://",
        "http:///p",
        "http://:80",
        "http://h:",
        "http://h:0",
        "http://h:65536",
        "http://h:8o",
        "http://h:80:80",
        "http://user@h",
        "http://user:password@h",
        "http://h?x",
        "http://h/?",
        "http://h/#",
        "http://h/#f",
        "http://h /",
        " http://h",
        "http://h\n",
        "http://h/a b",
        "http://h/ü",
        "http://ü",
        "http://a b",
        "http://[::1",
        "http://[zz]",
        "http://h\t:80",
    ],
)
def test_no_urls(value: str) -> None:
    with pytest.raises(ValueError, match="must be a URL"):
        types.parse_url(value)


@given(st.text())
def test_no_text_breaks_the_url_check(text: str) -> None:
    for value in (text, f"http://{text}", f"http://h:{text}", f"http://h/{text}"):
        assert accepts(types.Url, value) in (True, False)


def test_header_names_are_lower_case() -> None:
    assert types.parse_header_name("X-Tenant") == "x-tenant"


@pytest.mark.parametrize("value", ["", "a b", "a:b", "ü", "a\r\n", ":path"])
def test_no_header_names(value: str) -> None:
    assert not accepts(types.HeaderName, value)


@pytest.mark.parametrize(
    "name", ["X-Outerloop-Agent", "x-envoy-retry-on", "Host", "content-length"]
)
def test_headers_of_the_gateway_are_not_added(name: str) -> None:
    assert accepts(types.HeaderName, name)
    assert not accepts(types.AddedHeader, name)


def test_other_headers_are_added() -> None:
    assert accepts(types.AddedHeader, "x-team")


@pytest.mark.parametrize(
    ("value", "fine"), [("a b", True), ("", True), ("a\nb", False), (" a", False)]
)
def test_header_values(value: str, fine: bool) -> None:
    assert accepts(types.HeaderValue, value) is fine


@pytest.mark.parametrize(("value", "fine"), [("key", True), ("", False), ("a\nb", False)])
def test_secrets(value: str, fine: bool) -> None:
    assert accepts(types.Secret, value) is fine


def test_secrets_are_not_written() -> None:
    adapter: TypeAdapter[SecretStr] = TypeAdapter(types.Secret)
    assert adapter.dump_python(adapter.validate_python("key"), mode="json") == "***"


@pytest.mark.parametrize(
    ("value", "fine"),
    [("127.0.0.1", True), ("::", True), ("nowhere", False), ("", False), ("127.0.0.1:80", False)],
)
def test_addresses(value: str, fine: bool) -> None:
    assert accepts(types.IpAddress, value) is fine


def test_localhost_is_an_address_too() -> None:
    assert types.parse_ip_address("localhost") == "127.0.0.1"


def test_paths_start_at_the_folder_of_the_file() -> None:
    adapter: TypeAdapter[str] = TypeAdapter(types.FilePath)
    context = {"base_dir": Path("/etc/outerloop")}
    assert adapter.validate_python("ca.pem", context=context) == "/etc/outerloop/ca.pem"
    assert adapter.validate_python("/ca.pem", context=context) == "/ca.pem"
    assert adapter.validate_python("ca.pem") == "ca.pem"
    assert not accepts(types.FilePath, "")
    assert not accepts(types.FilePath, "a\0b")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "nan", 101, -1])
def test_percents(value: object) -> None:
    class Holder(types.Section):
        percent: types.Percent

    with pytest.raises(ValidationError):
        Holder.model_validate({"percent": value})


def test_a_section_is_immutable_and_refuses_unknown_keys() -> None:
    class Holder(types.Section):
        port: types.Port

    holder = Holder(port=1)
    with pytest.raises(ValidationError):
        holder.port = 2  # type: ignore[misc] # what the test is about
    with pytest.raises(ValidationError):
        Holder.model_validate({"port": 1, "prot": 2})
