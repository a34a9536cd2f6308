# SPDX-License-Identifier: Apache-2.0
"""What one daemon hands to the next: the recorder in the kernel, and the traces that it records."""
