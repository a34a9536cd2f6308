# SPDX-License-Identifier: Apache-2.0
"""Ways to daemons on other machines, and to stores of archived traces."""
