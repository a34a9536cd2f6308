# SPDX-License-Identifier: Apache-2.0
"""Makes tests wait TRACELOOP_TEST_PATIENCE times as long as usual before they give up, for emulated machines."""

from __future__ import annotations

import os
from typing import Final

PATIENCE: Final = float(os.environ.get("TRACELOOP_TEST_PATIENCE", "1"))
