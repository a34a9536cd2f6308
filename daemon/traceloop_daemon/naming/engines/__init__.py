# SPDX-License-Identifier: Apache-2.0
"""Container engines: the names of their cgroups and the places of their bundles, one module an engine.

Each module states the facts that it relies on and the versions with which they were seen.
"""
