# SPDX-License-Identifier: Apache-2.0
"""An engine's Node Resource Interface: its bytes, its messages, and what they register."""
