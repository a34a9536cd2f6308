# SPDX-License-Identifier: Apache-2.0
"""Values as people read them: lines, tables, colours, and the terminal that they are read on."""
