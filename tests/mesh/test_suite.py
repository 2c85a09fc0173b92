"""The tests of `outerloop up`, through the Envoy of somebody else's control plane."""

from __future__ import annotations

# ruff: noqa: F401 - pytest collects what stands here
from tests.e2e.hostile.test_bodies import (
    test_20_mb_arrive_byte_for_byte,
    test_a_body_arrives_byte_for_byte,
    test_one_byte_more_than_the_default_limit,
    test_the_default_limit_itself_passes,
)
from tests.e2e.hostile.test_spoofed_headers import (
    test_a_post_without_a_body_reaches_no_agent,
    test_an_agent_gets_our_headers_once_and_no_others,
    test_an_unknown_path_reaches_no_agent,
    test_another_method_reaches_no_agent,
    test_envoys_own_headers_do_not_act,
    test_envoys_own_headers_do_not_reach_an_agent,
    test_other_headers_with_underscores_stay,
    test_over_http2,
    test_the_decision_stands_without_a_model_too,
    test_the_list_of_models_is_ours,
)
from tests.e2e.test_passthrough_request import (
    ask,
    test_a_chunked_body_arrives_whole,
    test_a_missing_content_type_is_taken_as_json,
    test_a_missing_request_id_is_made,
    test_a_missing_trace_is_begun,
    test_a_request_id_of_the_client_stays,
    test_a_trace_of_the_client_goes_on,
    test_any_content_type_arrives_as_sent,
    test_credentials_and_cookies_arrive_unchanged,
    test_http2_with_prior_knowledge,
    test_other_headers_arrive_repeated_and_with_underscores,
    test_so_it_is_for_the_other_apis,
    test_the_body_is_the_same_byte_for_byte,
    test_the_host_is_the_agents,
    test_the_query_arrives,
)
from tests.e2e.test_passthrough_response import (
    test_a_compressed_answer_is_not_touched,
    test_a_request_with_trailers_is_answered_like_any_other,
    test_an_agents_own_outerloop_headers_are_removed,
    test_envoy_adds_nothing_of_its_own,
    test_http2_clients_get_the_agents_headers,
    test_status_headers_and_body_come_back_as_sent,
    test_trailers_over_http1,
    test_trailers_over_http2,
)
from tests.e2e.test_streaming import (
    test_a_client_that_does_not_wait_ends_the_agents_request,
    test_a_client_that_leaves_a_stream_ends_the_agents_request,
    test_an_agent_that_breaks_off_ends_the_stream,
    test_the_answers_headers_arrive_while_the_agent_waits,
    test_the_first_event_arrives_while_the_agent_waits,
)
