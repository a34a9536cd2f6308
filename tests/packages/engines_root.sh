#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes a root like root.sh's with container engines, and prints its path. It is kept in build/roots too.
#
#   tests/packages/engines_root.sh DEB
set -eu
cd "$(dirname "$0")/../.."
base=$(tests/packages/root.sh "$1")
root=$base-engines
if [ -d "$root" ]; then
	echo "$root"
	exit
fi

rm -rf "$root.part"
{
	cp -a --reflink=auto "$base" "$root.part"
	tests/packages/apt_in.sh "$root.part" install containerd docker.io podman
} >&2
mv "$root.part" "$root"
echo "$root"
