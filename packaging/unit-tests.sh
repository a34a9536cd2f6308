#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the tests that a package's build can run: those that need neither root nor the recorder, and do not start the
# programs, since nothing is installed yet. Tests with Hypothesis are skipped if its version is too old.
set -eu
cd "$(dirname "$0")/.."

exec "${PYTHON:-/usr/bin/python3}" -B -m pytest -q -p no:cacheprovider -m 'not installed and not kernel and not runtime' \
	tests/bpf tests/cli tests/daemon tests/decode tests/explain tests/hook tests/ship tests/project
