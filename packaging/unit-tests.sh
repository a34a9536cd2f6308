#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The tests that a package's build can run: those that need neither root nor a kernel that records, and start none of
# the programs, since nothing is installed yet.
set -eu
cd "$(dirname "$0")/.."

programs=$(grep -l 'sys\.executable\|import BIN' tests/test_*.py)
tests=$(ls tests/test_*.py)
for file in $programs; do
	tests=$(echo "$tests" | grep -vx "$file")
done
# shellcheck disable=SC2086 # a list
exec "${PYTHON:-/usr/bin/python3}" -B -m pytest -q -p no:cacheprovider -m 'not kernel and not runtime' $tests
