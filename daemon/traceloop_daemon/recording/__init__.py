# SPDX-License-Identifier: Apache-2.0
"""Active recordings and all traces: begun, ended, reported, counted, read."""
