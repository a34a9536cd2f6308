#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the Debian package, with its source, in build/deb. Takes what packaging/debian/control says under
# Build-Depends. DEB_BUILD_OPTIONS=nocheck leaves the tests out; TRACELOOP_VERSION is for tests of upgrades.
set -eu
cd "$(dirname "$0")/.."

version=${TRACELOOP_VERSION:-$(sed -n '1s/.*(\(.*\)).*/\1/p' packaging/debian/changelog)}
out=build/deb
source=$out/traceloop-$version

# dpkg wants its directory at the top, and we want it here.
packaging/source-tree.sh "$source"
cp -r packaging/debian "$source/debian"
sed -i "1s/(.*)/($version)/" "$source/debian/changelog"

cd "$source"
dpkg-buildpackage --no-sign --build="${TRACELOOP_BUILD:-full}"
