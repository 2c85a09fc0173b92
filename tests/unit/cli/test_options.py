from __future__ import annotations

import pytest
from click import Option

from extproc.cli.app import cli

ALIKE = {"--debug", "--workers", "--drain-time", "--log-level"}


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_what_commands_have_in_common_is_the_same(name: str) -> None:
    options = {each.opts[0]: each for each in cli.commands[name].params}
    assert "--debug" in options
    serve = {each.opts[0]: each for each in cli.commands["serve"].params}
    for flag in ALIKE & set(options):
        mine, its = options[flag], serve[flag]
        assert isinstance(mine, Option)
        assert isinstance(its, Option)
        assert (mine.default, mine.help, mine.type.name) == (its.default, its.help, its.type.name)
