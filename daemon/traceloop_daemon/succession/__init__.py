# SPDX-License-Identifier: Apache-2.0
"""Hands the recorder in the kernel and the live traces from one daemon to the next."""
