# SPDX-License-Identifier: Apache-2.0
"""The version of traceloop, as pyproject.toml and the packages have it."""

from typing import Final

VERSION: Final = "0.1.0"
