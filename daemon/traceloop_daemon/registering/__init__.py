# SPDX-License-Identifier: Apache-2.0
"""Decides from what a hook, NRI or a user tells of a container whether it is recorded, and how."""
