#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the Debian package, with its source, in build/deb. Needs the Build-Depends in packaging/debian/control.
# DEB_BUILD_OPTIONS=nocheck skips the tests; TRACELOOP_VERSION is for tests of upgrades. DEB_HOST_ARCH=arm64 builds the
# package for that architecture, with the cross compiler of Debian's crossbuild-essential-arm64.
set -eu
cd "$(dirname "$0")/.."

version=${TRACELOOP_VERSION:-$(sed -n '1s/.*(\(.*\)).*/\1/p' packaging/debian/changelog)}
out=build/deb
source=$out/traceloop-$version

# dpkg requires debian/ at the top of the source; we keep it in packaging/.
packaging/source-tree.sh "$source"
cp -r packaging/debian "$source/debian"
sed -i "1s/(.*)/($version)/" "$source/debian/changelog"

cd "$source"
set -- --no-sign --build="${TRACELOOP_BUILD:-full}"
native=$(dpkg --print-architecture)
host=${DEB_HOST_ARCH:-$native}
if [ "$host" != "$native" ]; then
	# Everything but the hook is the same for all architectures, and made with this machine's programs: the Build-Depends
	# need not be there for the other one, and tests are run where the package is native.
	unset DEB_HOST_ARCH
	export DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS-} nocheck"
	set -- "$@" --host-arch="$host" --no-check-builddeps
fi
dpkg-buildpackage "$@"
