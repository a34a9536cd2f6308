# SPDX-License-Identifier: Apache-2.0
"""Protection of recorded memory: capture policies, which withhold it, and redaction, which blots out secrets."""
