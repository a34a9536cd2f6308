# SPDX-License-Identifier: Apache-2.0
"""The OCI hook: the script `traceloop-hook` beside this file, which stands alone."""
