# SPDX-License-Identifier: Apache-2.0
"""The OCI hook `traceloop-hook`, and `traceloop-runtime`, which adds it: programs beside this file that stand alone."""
