# SPDX-License-Identifier: Apache-2.0
"""Arguments of each system call: the table of words, and what follows from a word alone."""
