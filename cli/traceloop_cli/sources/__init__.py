# SPDX-License-Identifier: Apache-2.0
"""Where traces come from: the daemon, and files."""
