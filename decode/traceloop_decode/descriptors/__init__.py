# SPDX-License-Identifier: Apache-2.0
"""Which open file each descriptor of each process stands for, and what that is called."""
