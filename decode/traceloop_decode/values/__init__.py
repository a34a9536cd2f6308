# SPDX-License-Identifier: Apache-2.0
"""Single values as text: constants, siginfo, and the options for printing them."""
