from __future__ import annotations

from extproc.availability import Availability


def test_all_are_taken_as_healthy_until_something_else_is_said() -> None:
    assert Availability().of(("a", "b")) == ("a", "b")


def test_agents_that_are_down_are_left_out_in_order() -> None:
    availability = Availability()
    availability.down = frozenset("bx")
    assert availability.of(("c", "b", "a")) == ("c", "a")


def test_where_all_are_down_all_are_left() -> None:
    availability = Availability()
    availability.down = frozenset("abc")
    assert availability.of(["a", "b"]) == ("a", "b")


def test_what_is_up_again_is_back() -> None:
    availability = Availability()
    availability.down = frozenset("a")
    availability.down = frozenset()
    assert availability.of(("a", "b")) == ("a", "b")
