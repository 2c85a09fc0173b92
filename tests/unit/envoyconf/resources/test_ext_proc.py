from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from envoy_data_plane.envoy.extensions.filters.http.ext_proc import v3 as ext_proc

from extproc.envoyconf.resources.ext_proc import (
    answer_processor,
    answers_enabled,
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


def test_without_the_processor_nothing_passes(config: ext_proc.ExternalProcessor) -> None:
    assert not config.failure_mode_allow
    assert config.status_on_error is not None
    assert config.status_on_error.code == 503


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
