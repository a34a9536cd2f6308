# SPDX-License-Identifier: Apache-2.0
"""Reasons why traces are not shipped; a message says what, why and what to do."""

from __future__ import annotations


class ShipError(Exception):
    """The settings, the archive or the store cannot be used."""
