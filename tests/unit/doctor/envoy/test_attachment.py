from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from extproc.doctor.envoy.attachment import attachments, of_listener, seconds

Json = dict[str, Any]
Make = Callable[..., Json]


def test_the_manager_of_a_listener_with_our_filter(
    make_dump: Make, make_manager: Make, make_ext_proc: Make, make_of_answers: Make
) -> None:
    ours = (("decide", make_ext_proc()), ("answers", make_of_answers()))
    found = attachments(make_dump(make_manager(*ours), {"@type": "x.TcpProxy"}))
    [attachment] = found
    assert (attachment.name, attachment.told_listener) == ("l1", "travel")
    assert [each.name for each in attachment.filters] == ["decide", "answers"]
    assert [each.name for each in attachment.deciding] == ["decide"]
    assert len(attachment.routes) == 2
    assert set(attachment.clusters) == {"outerloop", "weather"}


def test_ours_among_others(make_dump: Make, make_manager: Make, make_ext_proc: Make) -> None:
    other = make_ext_proc(
        grpc_service={"envoy_grpc": {"cluster_name": "waf"}}, mutation_rules={}, stat_prefix="waf"
    )
    manager = make_manager(("waf", other), ("ours", make_ext_proc()))
    [attachment] = attachments(make_dump(manager))
    assert [each.name for each in attachment.deciding] == ["ours"]
    [attachment] = attachments(make_dump(make_manager(("waf", other))))
    assert [each.name for each in attachment.deciding] == ["waf"]


def test_one_whose_modes_are_wrong(
    make_dump: Make, make_manager: Make, make_ext_proc: Make
) -> None:
    manager = make_manager(("ours", make_ext_proc(processing_mode={})))
    [attachment] = attachments(make_dump(manager))
    assert [each.name for each in attachment.deciding] == ["ours"]


def test_one_that_is_skipped_for_some(
    make_dump: Make, make_manager: Make, make_ext_proc: Make, make_matched: Make
) -> None:
    manager = make_manager(("again", make_matched(make_ext_proc())))
    [attachment] = attachments(make_dump(manager))
    assert [(each.name, each.conditional) for each in attachment.deciding] == [("again", True)]


@pytest.mark.parametrize("where", ["table", "host", "route", None])
def test_one_that_must_be_enabled(
    make_dump: Make, make_manager: Make, make_ext_proc: Make, where: str | None
) -> None:
    manager = make_manager(("ours", make_ext_proc()))
    manager["http_filters"][0]["disabled"] = True
    table = manager["route_config"]
    [host] = table["virtual_hosts"]
    places = {"table": table, "host": host, "route": host["routes"][0]}
    if where is not None:
        places[where]["typed_per_filter_config"] = {"ours": {}}
    assert len(attachments(make_dump(manager))) == (where is not None)


def test_what_was_discovered_stands_elsewhere(
    make_dump: Make, make_manager: Make, make_ext_proc: Make
) -> None:
    manager = make_manager(("ours", {}), rds={"route_config_name": "routes"})
    table = {"name": "routes", **manager.pop("route_config")}
    dumped = make_dump(manager)
    dumped["configs"] += [
        {"@type": "x.RoutesConfigDump", "dynamic_route_configs": [{"route_config": table}]},
        {
            "@type": "x.EcdsConfigDump",
            "ecds_filters": [{"ecds_filter": {"name": "ours", "typed_config": make_ext_proc()}}],
        },
    ]
    [attachment] = attachments(dumped)
    assert ([each.name for each in attachment.deciding], len(attachment.routes)) == (["ours"], 2)


def test_one_of_several_listeners(make_dump: Make, make_manager: Make) -> None:
    other = make_manager(early_header_mutation_extensions=[])
    found = attachments(make_dump(other, make_manager()))
    assert [each.name for each in of_listener(found, "travel")] == ["l2"]
    assert [each.told_listener for each in found] == [None, "travel"]
    for unknown in (None, "hotels"):
        assert of_listener(found, unknown) == found


@pytest.mark.parametrize(("duration", "expected"), [("0.200s", 0.2), ("32s", 32.0), (None, None)])
def test_durations(duration: str | None, expected: float | None) -> None:
    assert seconds(duration) == expected
