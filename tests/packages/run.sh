#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the packages, each also as the next version, and tests them. Run by `make test-packages`; README.md beside it
# describes the tests.
set -eu
cd "$(dirname "$0")/../.."
packaging/install-packages.sh build-essential debhelper debootstrap dh-python lintian mandoc man-db pkgconf \
	python3-pytest rpm rpmlint scdoc strace

rm -rf build/deb build/rpm
make deb
TRACELOOP_BUILD=binary DEB_BUILD_OPTIONS=nocheck TRACELOOP_VERSION=0.1.0+next packaging/build-deb.sh >/dev/null
make rpm
TRACELOOP_VERSION=0.1.0+next packaging/build-rpm.sh >/dev/null
tests/packages/engines_root.sh build/deb/traceloop_0.1.0_amd64.deb >/dev/null # and root.sh's root
tests/bare/root.sh >/dev/null

UPGRADE_KILLS=30 .venv/bin/pytest tests/node/test_interrupted_upgrade.py
exec .venv/bin/pytest tests/packages/of_*.py "$@"
