#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the root of root.sh once more, with container engines in it, and prints where it is. Kept in build/roots too.
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
