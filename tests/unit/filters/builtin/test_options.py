from __future__ import annotations

from extproc.filters.api import Deny
from extproc.filters.builtin.options import Refusal


def test_the_file_may_say_how_to_refuse() -> None:
    assert Refusal().deny("too long", "chars") == Deny("too long", 403, "chars")
    own = Refusal(status=422, message="ours")
    assert own.deny("too long").message == "ours"
    assert own.deny("too long").status == 422
