# SPDX-License-Identifier: Apache-2.0
"""Setup for tests that only `make test-packages` runs, by name: pytest does not collect them by itself."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
