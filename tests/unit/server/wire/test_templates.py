from __future__ import annotations

import pytest

from extproc.server.wire.templates import Template


def test_values_stand_where_the_samples_stood() -> None:
    template = Template(b"100% <one> and <two>\x00", [b"<two>", b"<one>"])
    assert template.fill(b"22222", b"11%11") == b"100% 11%11 and 22222\x00"


def test_a_value_of_another_length_does_not_fit() -> None:
    template = Template(b"<one><two>", [b"<one>", b"<two>"])
    assert template.fill(b"11111", b"2222") is None


@pytest.mark.parametrize("message", [b"<one>", b"<one><two><two>"])
def test_a_sample_stands_there_once(message: bytes) -> None:
    with pytest.raises(ValueError, match="once"):
        Template(message, [b"<one>", b"<two>"])
