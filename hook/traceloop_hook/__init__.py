# SPDX-License-Identifier: Apache-2.0
"""The OCI hook `traceloop-hook`, and `traceloop-runtime`, which adds it: standalone programs beside this file."""
