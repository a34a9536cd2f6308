# SPDX-License-Identifier: Apache-2.0
"""Containers' names, from their annotations and from their engine's files and databases."""
