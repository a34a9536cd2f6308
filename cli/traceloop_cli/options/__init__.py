# SPDX-License-Identifier: Apache-2.0
"""What a user may type after a verb, and what each of these words means."""
