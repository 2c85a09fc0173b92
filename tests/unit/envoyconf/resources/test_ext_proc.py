from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from envoy_data_plane.envoy.extensions.common.matching import v3 as matching
from envoy_data_plane.envoy.extensions.filters.http.ext_proc import v3 as ext_proc

from extproc import names
from extproc.envoyconf.resources.ext_proc import (
    answer_processor,
    answers_enabled,
    decided_by_another_worker,
    external_processor,
)
from extproc.envoyconf.topology import Topology
from extproc.plan import LONGEST_WAIT


@pytest.fixture
def config(make_topology: Callable[..., Topology]) -> ext_proc.ExternalProcessor:
    (listener,) = make_topology(listener={"decision_timeout": "7s"}).listeners
    config = external_processor(listener).unpack()
    assert isinstance(config, ext_proc.ExternalProcessor)
    assert config.message_timeout == listener.message_timeout
    assert config.max_message_timeout == LONGEST_WAIT
    return config


def test_the_whole_request_is_sent_and_nothing_of_the_response(
    config: ext_proc.ExternalProcessor,
) -> None:
    mode = config.processing_mode
    assert mode is not None
    assert mode.request_header_mode.name == "SEND"
    assert mode.request_body_mode.name == "BUFFERED"
    assert mode.request_trailer_mode.name == "SEND"
    assert mode.response_header_mode.name == "SKIP"
    assert mode.response_body_mode.name == "NONE"
    assert mode.response_trailer_mode.name == "SKIP"


def test_what_no_worker_decides_does_not_pass(
    make_topology: Callable[..., Topology], config: ext_proc.ExternalProcessor
) -> None:
    (listener,) = make_topology(listener={"decision_timeout": "7s"}).listeners
    again = decided_by_another_worker(listener).unpack()
    assert isinstance(again, matching.ExtensionWithMatcher)
    assert again.extension_config is not None
    assert again.extension_config.typed_config is not None
    asked = again.extension_config.typed_config.unpack()
    assert isinstance(asked, ext_proc.ExternalProcessor)
    assert asked.status_on_error is not None
    assert asked.status_on_error.code == 503
    assert (config.failure_mode_allow, asked.failure_mode_allow) == (True, False)
    # They are alike but for that.
    alike = replace(asked, failure_mode_allow=True, stat_prefix=config.stat_prefix)
    assert asked.stat_prefix != config.stat_prefix
    assert alike.to_dict() == config.to_dict()


def test_only_what_the_processor_decided_is_not_asked_about_again(
    make_topology: Callable[..., Topology],
) -> None:
    (listener,) = make_topology().listeners
    again = decided_by_another_worker(listener).unpack()
    assert isinstance(again, matching.ExtensionWithMatcher)
    assert again.xds_matcher is not None
    assert again.xds_matcher.on_no_match is None
    rendered = str(again.xds_matcher.to_dict())
    assert names.HEADER_AGENT in rendered
    assert "SkipFilter" in rendered
    assert re.match(names.SPOOFED_HEADERS, names.HEADER_AGENT)


def test_the_processor_may_set_its_own_headers_and_no_others(
    config: ext_proc.ExternalProcessor,
) -> None:
    mutation = config.mutation_rules
    assert mutation is not None
    assert mutation.disallow_all
    assert mutation.allow_expression is not None
    allowed = re.compile(mutation.allow_expression.regex)
    for name in ("x-outerloop-agent", "content-length", "content-type", "traceparent"):
        assert allowed.search(name)
    for name in ("authorization", ":path", "host", "cookie", "x-content-length", "x-outerloop_a"):
        assert not allowed.search(name)


def test_metadata_is_taken_from_our_namespace_alone(config: ext_proc.ExternalProcessor) -> None:
    options = config.metadata_options
    assert options is not None
    assert options.receiving_namespaces is not None
    assert options.receiving_namespaces.untyped == ["outerloop"]


def test_the_stream_goes_to_the_processor_with_retries(config: ext_proc.ExternalProcessor) -> None:
    service = config.grpc_service
    assert service is not None
    assert service.envoy_grpc is not None
    assert service.envoy_grpc.cluster_name == "processor"
    assert service.retry_policy is not None


def test_answers_are_left_alone_but_where_a_route_asks() -> None:
    config = answer_processor().unpack()
    assert isinstance(config, ext_proc.ExternalProcessor)
    mode = config.processing_mode
    assert mode is not None
    assert {mode.response_header_mode.name, mode.request_header_mode.name} == {"SKIP"}
    assert {mode.response_body_mode.name, mode.request_body_mode.name} == {"NONE"}
    assert not config.failure_mode_allow
    route = answers_enabled().unpack()
    assert isinstance(route, ext_proc.ExtProcPerRoute)
    assert route.overrides is not None
    asked = route.overrides.processing_mode
    assert asked is not None
    assert asked.response_header_mode.name == "SEND"
    assert asked.response_body_mode.name == "FULL_DUPLEX_STREAMED"
    assert asked.request_body_mode.name == "NONE"
