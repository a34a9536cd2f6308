#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The tests that a package's build can run: those that need neither root, nor a kernel that records, and start none of
# the programs, since nothing is installed yet. Those with Hypothesis are skipped where it is older than ours.
set -eu
cd "$(dirname "$0")/.."

exec "${PYTHON:-/usr/bin/python3}" -B -m pytest -q -p no:cacheprovider -m 'not installed and not kernel and not runtime' \
	tests/bpf tests/cli tests/daemon tests/decode tests/hook tests/project
