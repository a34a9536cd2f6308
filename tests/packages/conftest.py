# SPDX-License-Identifier: Apache-2.0
"""These tests are asked for by name, `make test-packages`: pytest does not find them by itself."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
