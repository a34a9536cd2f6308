#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The tests that a package's build can run: those that need neither root, nor a kernel that records, nor a Hypothesis that
# is newer than the distribution's, and start none of the programs, since nothing is installed yet.
set -eu
cd "$(dirname "$0")/.."

others=$(grep -lE 'sys\.executable|import BIN|hypothesis|fake_daemon|runtimewrapper|test_completion' tests/test_*.py; ls tests/test_*_kernel.py)
tests=$(ls tests/test_*.py)
for file in $others; do
	tests=$(echo "$tests" | grep -vx "$file")
done
# shellcheck disable=SC2086 # a list
exec "${PYTHON:-/usr/bin/python3}" -B -m pytest -q -p no:cacheprovider -m 'not kernel and not runtime' $tests
