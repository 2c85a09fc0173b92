"""What Envoy measures of each exchange with an agent beside what it counts of its clusters anyway.

Names of agents and variants come from the cluster that a request went to, so that no client, and
no agent, can add to them. An exchange through a chain is measured behind it, where the agent is.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from envoy_data_plane.envoy.config.accesslog import v3 as accesslog
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.access_loggers.filters.cel import v3 as cel
from envoy_data_plane.envoy.extensions.access_loggers.stats import v3 as stats
from envoy_data_plane.envoy.extensions.filters.http.lua import v3 as lua
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as hcm
from envoy_data_plane.envoy.type import v3 as type_v3
from envoy_data_plane.envoy.type.matcher import v3 as matcher

from extproc import names
from extproc.envoyconf.resources.extensions import Packed
from extproc.envoyconf.resources.hosts import AGENT_KEY, VARIANT_KEY

TOKENS: Final = "outerloop.tokens"
"""Name of the filter that reads what agents report."""

# The first byte as Envoy got it, of the try that was answered.
_FIRST_BYTE: Final = "%COMMON_DURATION(US_TX_BEG:US_RX_BODY_BEG:ms)%"
# Nobody's but a host's: an answer of Envoy's own or the processor's has no host, or is an error.
_HAS_BODY_OF_HOST: Final = (
    f"response.size > 0 && has(upstream.address) && !('{names.HEADER_ERROR}' in response.headers)"
)


def token_filters(*, count_tokens: bool) -> list[hcm.HttpFilter]:
    """Return the filter that notes what agents report of their tokens, where they are counted.

    Answers pass it unchanged, at once and of any length; what is encoded it cannot read.
    """
    if not count_tokens:
        return []
    script = files("extproc.envoyconf.resources").joinpath("tokens.lua").read_text("utf-8")
    config = lua.Lua(default_source_code=core.DataSource(inline_string=script))
    return [hcm.HttpFilter(name=TOKENS, typed_config=Packed(config))]


def measures(*, count_tokens: bool) -> list[accesslog.AccessLog]:
    """Return what adds to the statistics when an exchange has ended."""
    first_byte = stats.ConfigHistogram(
        stat=_stat(names.STAT_FIRST_BYTE),
        unit=stats.ConfigHistogramUnit.Milliseconds,
        value_format=_FIRST_BYTE,
    )
    return [
        _measure(_where(_HAS_BODY_OF_HOST), stats.Config(histograms=[first_byte])),
        *(_token_measure(key) for key in names.TOKEN_KEYS.values() if count_tokens),
    ]


def _token_measure(key: str) -> accesslog.AccessLog:
    counter = stats.ConfigCounter(
        stat=_stat(key), value_format=f"%DYNAMIC_METADATA({names.METADATA_TOKENS}:{key})%"
    )
    # Without a value Envoy would log an error.
    reported = accesslog.MetadataFilter(
        matcher=matcher.MetadataMatcher(
            filter=names.METADATA_TOKENS,
            path=[matcher.MetadataMatcherPathSegment(key=key)],
            value=matcher.ValueMatcher(present_match=True),
        ),
        match_if_key_not_found=False,
    )
    return _measure(
        accesslog.AccessLogFilter(metadata_filter=reported), stats.Config(counters=[counter])
    )


def _measure(where: accesslog.AccessLogFilter, config: stats.Config) -> accesslog.AccessLog:
    config.stats_scope = type_v3.Scope(prefix=names.STATS_PREFIX)
    return accesslog.AccessLog(
        name="envoy.access_loggers.stats", filter=where, typed_config=Packed(config)
    )


def _where(expression: str) -> accesslog.AccessLogFilter:
    return accesslog.AccessLogFilter(
        extension_filter=accesslog.ExtensionFilter(
            name="cel", typed_config=Packed(cel.ExpressionFilter(expression=expression))
        )
    )


def _stat(name: str) -> stats.ConfigStat:
    keys = (AGENT_KEY, VARIANT_KEY)
    tags = [
        stats.ConfigTag(
            name=key, value_format=f"%CLUSTER_METADATA({names.METADATA_NAMESPACE}:{key})%"
        )
        for key in keys
    ]
    return stats.ConfigStat(name=name, tags=tags)
