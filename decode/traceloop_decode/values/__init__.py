# SPDX-License-Identifier: Apache-2.0
"""Single values as text: constants, C types, siginfo, and the options by which they are shown."""
