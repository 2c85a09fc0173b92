from __future__ import annotations

from extproc.config.lenient import Lenient
from extproc.config.load import loads

FILE = """
version: v1
agents: [{id: a, url: "http://$HOST", access_key: $KEY}]
listeners: [{name: l, port: 1, agents: [{id: a}]}]
"""


def test_a_file_can_be_read_without_its_secrets() -> None:
    environ = Lenient({"HOST": "h"})
    config = loads(FILE, "f", environ).config
    assert config.agents[0].url == "http://h"
    assert tuple(environ.asked) == ("HOST", "KEY")
    assert environ.missing == ("KEY",)


def test_it_lists_what_is_set() -> None:
    environ = Lenient({"HOST": "h"})
    assert (dict(environ), len(environ)) == ({"HOST": "h"}, 1)
    assert "ANY" in environ
