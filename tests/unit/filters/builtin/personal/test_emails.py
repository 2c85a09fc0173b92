from __future__ import annotations

import pytest

from extproc.filters.builtin.personal.emails import find_emails
from extproc.filters.builtin.personal.spans import View


def emails(text: str) -> list[str]:
    return [text[span.start : span.end] for span in find_emails(View(text))]


@pytest.mark.parametrize(
    "address",
    [
        # RFC 3696, section 3, and RFC 5322, appendix A
        *("Abc_def@example.com", "user+mailbox@example.com", "_somename@example.com"),
        *("jdoe@machine.example", "john.q.public@example.com", "a@b.example.co.uk"),
        *("o'brien@example.org", "100%25@example.com", "x@163.com", "john@xn--bcher-kva.example"),
        *("jörg@müller.de", '"john.doe"@example.org', "jsmith@[192.168.2.1]"),
        *("jsmith@[IPv6:2001:db8::1]", f"{'l' * 63}@example.com", f"a@{'d' * 63}.org"),
    ],
)
@pytest.mark.parametrize(
    "around", ["{}", "to {}.", "<{}>", "({}),", "mailto:{}?x", "**{}**", "'{}'"]
)
def test_addresses(address: str, around: str) -> None:
    assert emails(around.format(address)) == [address]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://example.org/?email=john@example.com&x=1", ["john@example.com"]),
        ("联系john@example.com谢谢", ["john@example.com"]),
        ("`a@x.com`|b@x.com|{c@x.com}", ["a@x.com", "b@x.com", "c@x.com"]),
        ("a@x.com.b1", ["a@x.com"]),
        ("a@b.com@c.com", ["a@b.com", "b.com@c.com"]),
    ],
)
def test_only_the_address(text: str, expected: list[str]) -> None:
    assert emails(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("john@localhost", "@john", "john@", "a @ b.com", "john.@example.com", "root@10.0.0.1"),
        *("git@github.com:envoyproxy/envoy.git", "this@Activity.finish", "actions/checkout@v4"),
        *("@types/node@1.2.3", "react@18.2.0-rc.one", "getty@tty1.service", "icon@2x.png"),
        *(f"{'l' * 65}@example.com", f"a@{'d.' * 126}example", "image@sha256:abc.def", "a@b.c"),
    ],
)
def test_what_is_no_address(text: str) -> None:
    assert emails(text) == []


def test_an_address_is_open_until_its_domain_has_ended() -> None:
    for text in ("john@", "john@example", "john@example.com", "john@example.com.", "john@[1.2"):
        (span,) = find_emails(View(text, final=False))
        assert span.open
        assert span.start == 0
    (span,) = find_emails(View("john@example.com,", final=False))
    assert not span.open
