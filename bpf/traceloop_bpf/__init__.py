# SPDX-License-Identifier: Apache-2.0
"""The recorder in the kernel and its rings. `tracer` is the entry point; `record.h` defines a ring's contents."""
