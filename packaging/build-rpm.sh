#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the RPM, with its source, in build/rpm. Needs rpmbuild, scdoc, make and Python.
# TRACELOOP_VERSION is for tests of upgrades.
set -eu
cd "$(dirname "$0")/.."

version=${TRACELOOP_VERSION:-$(sed -n 's/^Version: *//p' packaging/traceloop.spec)}
out=$PWD/build/rpm
mkdir -p "$out/SOURCES" "$out/SPECS"
packaging/source-tree.sh "$out/traceloop-$version"
tar -C "$out" -czf "$out/SOURCES/traceloop-$version.tar.gz" "traceloop-$version"
rm -r "$out/traceloop-$version"
sed "s/^Version: .*/Version: $version/" packaging/traceloop.spec >"$out/SPECS/traceloop.spec"

# On Debian rpm's database does not list the installed packages.
nodeps=
[ ! -e /etc/debian_version ] || nodeps=--nodeps
# shellcheck disable=SC2086 # one word or none
rpmbuild -ba --quiet $nodeps --define "_topdir $out" "$out/SPECS/traceloop.spec"
ls "$out"/RPMS/*/traceloop-"$version"-*.rpm
