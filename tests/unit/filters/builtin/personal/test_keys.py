from __future__ import annotations

import pytest

from extproc.filters.builtin.personal.keys import find_keys
from extproc.filters.builtin.personal.spans import View

# Put together here, so that nobody's scanner takes the examples for keys.
BODY = "aB3dEfGh1jKlMnOpQrStUvWxYz0123456789"
JWT = (  # the example of jwt.io
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
    "eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ."
    "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
)
AWS_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
DASHES = "-" * 5
PEM = (
    f"{DASHES}BEGIN %sPRIVATE KEY{DASHES}\nMIIEpAIBAAKCAQEA7bq2\nab==\n"
    f"{DASHES}END %sPRIVATE KEY{DASHES}"
)


def keys(text: str) -> list[str]:
    return [text[span.start : span.end] for span in find_keys(View(text))]


@pytest.mark.parametrize(
    "key",
    [
        *(f"sk-{BODY}", f"sk-proj-{BODY}_x-{BODY}", f"sk-ant-api03-{BODY}-x_y-AA"),
        *(f"sk-or-v1-{'0af1' * 16}", f"sk_live_{BODY}", f"rk_test_{BODY}", f"whsec_{BODY}"),
        *("AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE", f"ghp_{BODY}", f"gho_{BODY}"),
        *(f"github_pat_{BODY}_{BODY}", f"glpat-{BODY[:20]}", f"xoxb-123456789012-{BODY[:24]}"),
        *(f"xapp-1-A012-{BODY}", f"AIza{BODY[:35]}", f"ya29.{BODY}", f"GOCSPX-{BODY[:28]}"),
        *(f"hf_{BODY[:34]}", f"npm_{BODY}", f"SG.{BODY[:22]}.{BODY}", JWT, f"{JWT[:110]}."),
        *(f"eyJhbGciOi.{BODY}.{BODY}.{BODY}.{BODY}", f"pypi-AgE{BODY * 2}"),
        *(PEM % ("", ""), PEM % ("RSA ", "RSA "), PEM % ("OPENSSH ", "OPENSSH ")),
        (PEM % ("EC ", "EC ")).replace("\n", "\\n"),
    ],
)
@pytest.mark.parametrize("around", ["{}", "key={} ", '"{}"', "Bearer {}, {}", "({})"])
def test_keys(key: str, around: str) -> None:
    assert keys(around.format(key, key)) == [key] * around.count("{}")


@pytest.mark.parametrize(
    "before",
    [
        *("aws_secret_access_key = ", "AWS_SECRET_ACCESS_KEY=", '"SecretAccessKey": "'),
        *(r"\"secretAccessKey\": \"", "secretaccesskey:'"),
    ],
)
def test_the_secret_of_aws_is_known_by_its_name(before: str) -> None:
    assert keys(f"{before}{AWS_SECRET}'") == [AWS_SECRET]
    assert keys(AWS_SECRET) == keys(f"{before}{AWS_SECRET}x") == keys(f"{before} of Ann") == []


@pytest.mark.parametrize(
    "text",
    [
        *("sk-", "sk-some-spinner-class-large-3-columns", "sk-abcdefghijklmnopqrstuvwxyz"),
        *("task-" + BODY, "AKIA", "AKIAIOSFODNN7EXAMPLES", "BAKIAIOSFODNN7EXAMPLE", "ghp_short"),
        *("xoxo-hugs-and-kisses", "xoxb-some-words-only", "eyJhbGciOi.x", "eyJ.eyJ.x", "SG.a.b"),
        *(f"{DASHES}BEGIN CERTIFICATE{DASHES}", f"{DASHES}BEGIN PUBLIC KEY{DASHES}"),
        *("da39a3ee5e6b4b0d3255bfef95601890afd80709", "AIzaShort", "sk_live_", BODY),
    ],
)
def test_what_is_no_key(text: str) -> None:
    assert keys(text) == []


def test_a_private_key_without_its_end_loses_its_lines() -> None:
    text = (PEM % ("", ""))[:48]
    assert keys(f"{text} is cut") == [text]
    header = f"{DASHES}BEGIN PRIVATE KEY{DASHES}"
    assert keys(f"It starts with `{header}`!") == [header]


@pytest.mark.parametrize(
    "whole", [f"sk-{BODY}", JWT, PEM % ("RSA ", "RSA "), f"secret_access_key='{AWS_SECRET}'"]
)
def test_a_key_is_open_until_it_has_ended(whole: str) -> None:
    for end in range(len("secret_access_key"), len(whole) - 1):
        assert [span.open for span in find_keys(View(whole[:end], final=False))][:1] == [True]
    assert [span.open for span in find_keys(View(f"{whole},", final=False))] == [False]
