# SPDX-License-Identifier: Apache-2.0
"""Sizes, spans of time and shares, as people write them."""

import pytest

pytest.importorskip("hypothesis", minversion="6.100")

from hypothesis import given
from hypothesis import strategies as st

from traceloop_daemon.units import Share, size_bytes, size_or_share, size_text, span_s


@pytest.mark.parametrize(
    ("value", "size"),
    [
        *((0, 0), (4096, 4096), ("4096", 4096), ("1K", 1024), ("512K", 512 << 10), ("1M", 1 << 20), ("1.5M", 3 << 19)),
        *(("2G", 2 << 30), ("1T", 1 << 40), ("1P", 1 << 50), ("1 M", 1 << 20), ("1MB", 1 << 20), ("10B", 10)),
    ],
)
def test_sizes(value, size):
    assert size_bytes(value) == size


@pytest.mark.parametrize(
    "value", [-1, True, 1.5, "", "M", "1m", "1X", "-1M", "1M2K", "0x10", "1e3", "\u0661", [], "9" * 50]
)
def test_what_is_no_size(value):
    with pytest.raises(ValueError, match='"1M"'):
        size_bytes(value)


@given(st.integers(0, 1 << 62))
def test_a_size_is_written_as_it_is_read(size):
    assert size_bytes(size_text(size)) == size


def test_shares():
    assert size_or_share("10%") == Share(10)
    assert size_or_share("10%").of(2000) == 200
    assert str(Share(10)) == "10%"
    assert size_or_share("1G") == 1 << 30
    for wrong in ("101%", "-1%", "%", "1.5%", "ten", 10.0):
        with pytest.raises(ValueError, match='"10%"'):
            size_or_share(wrong)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *(
            (30, 30),
            ("30", 30),
            ("2 hours", 7200),
            ("30s", 30),
            ("5min", 300),
            ("5m", 300),
            ("12h", 43200),
            ("14d", 1_209_600),
        ),
        *(("2w", 1_209_600), ("1h 30min", 5400), ("1h30m", 5400), ("1y", 31_557_600), ("1M", 2_629_800), ("0s", 0)),
        *(("", None), ("d", None), ("1x", None), ("-1d", None), (-1, None), (True, None), (1.5, None), (" 1d", None)),
        *(("1d" * 100, None), ("1.5h", 5400), ("500ms", None), ("1500ms 500ms", 2)),
    ],
)
def test_spans_of_time(value, seconds):
    if seconds is not None:
        assert span_s(value) == seconds
        return
    with pytest.raises(ValueError, match='"14d"'):
        span_s(value)
