# SPDX-License-Identifier: Apache-2.0
"""Views of a trace as a whole: tables of what a container called, used, said and waited for."""
