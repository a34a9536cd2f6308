# SPDX-License-Identifier: Apache-2.0
"""Interfaces to the operating system: event loop, sockets, systemd, cgroups, processes, files. Unaware of traces."""
