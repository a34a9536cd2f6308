# SPDX-License-Identifier: Apache-2.0
"""The recorder in the kernel, and its rings. `tracer` is the way in; `record.h` says what a ring holds."""
