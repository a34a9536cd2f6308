# SPDX-License-Identifier: Apache-2.0
"""Arguments and results of calls as text, in strace's words; pure and total: any bytes give text."""
