# SPDX-License-Identifier: Apache-2.0
"""The recorder against strace: the same program under both gives the same text."""
