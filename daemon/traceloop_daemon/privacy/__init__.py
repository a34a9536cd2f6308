# SPDX-License-Identifier: Apache-2.0
"""What leaves no ring: what a capture policy withholds, and secrets, which are searched for and blotted out."""
