# SPDX-License-Identifier: Apache-2.0
"""Where traces of ended containers are kept: their files, what waits for the disk, what goes to make room."""
