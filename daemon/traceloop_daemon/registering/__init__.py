# SPDX-License-Identifier: Apache-2.0
"""From what a hook or a user says of a container to whether it is recorded, and how."""
