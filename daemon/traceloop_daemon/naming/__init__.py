# SPDX-License-Identifier: Apache-2.0
"""What a container is called: by its annotations, and by its engine's files and data bases."""
