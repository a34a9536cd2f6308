# SPDX-License-Identifier: Apache-2.0
"""What the operating system gives: event loop, sockets, systemd, cgroups, processes, files. Nothing of traces."""
