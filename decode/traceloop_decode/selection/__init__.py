# SPDX-License-Identifier: Apache-2.0
"""Selection of the events to show: by call, outcome, path, signal or time."""
