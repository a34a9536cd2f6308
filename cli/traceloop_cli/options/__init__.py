# SPDX-License-Identifier: Apache-2.0
"""Options and arguments of the verbs, and their meaning."""
