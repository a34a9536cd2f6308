# SPDX-License-Identifier: Apache-2.0
"""What the arguments of each system call are: the table of words, and what follows from a word alone."""
