# SPDX-License-Identifier: Apache-2.0
"""Which events are shown: picked by call, outcome, path, signal or time."""
