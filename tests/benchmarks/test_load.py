from __future__ import annotations

import pytest

from benchmarks.speed.load import Outcome, read
from benchmarks.speed.processes import NotStarted

OUTPUT = """\
Running 1s test @ http://127.0.0.1:1
  1 threads and 4 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.07ms    2.37ms  25.35ms   90.14%
  Non-2xx or 3xx responses: 7
Requests/sec:  14903.40
result {"microseconds": 1000500, "requests": 1500, "bytes": 2456, "p50_us": 123, "p99_us": 5705, \
"connect": 0, "read": 0, "write": 0, "status": 7, "timeout": 2}
"""


def test_what_wrk_reports_is_read() -> None:
    expected = Outcome(1.0005, 1500, 2456, 0.123, 5.705, {"status": 7, "timeout": 2})
    assert read(OUTPUT) == expected


def test_a_report_that_is_not_there_is_said_with_what_there_was() -> None:
    with pytest.raises(NotStarted, match="unable to connect"):
        read("unable to connect to 127.0.0.1:1 Connection refused\n")
