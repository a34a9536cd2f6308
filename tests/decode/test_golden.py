# SPDX-License-Identifier: Apache-2.0
"""Recorded rings still read as when they were recorded: tests of decoding that need no root (see golden/record.py)."""

import pytest
from golden.record import FORMATS, HERE, NAMES, text


@pytest.mark.parametrize("style", FORMATS)
@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_ring(name, style):
    assert text(name, style) == (HERE / f"{name}.{style}").read_text()
