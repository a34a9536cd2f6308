#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes a Debian in which only the packages that README.md requires are installed, and prints its path. It is kept in
# build/roots; tests change only a layer above it.
#
#   tests/bare/root.sh [SUITE]      default: bookworm
set -eu
cd "$(dirname "$0")/../.."
suite=${1:-bookworm}
root=$PWD/build/roots/$suite-bare
if [ ! -d "$root" ]; then
	mirror=$(apt-get indextargets --format '$(SITE) $(COMPONENT)' 'Created-By: Packages' |
		awk '$2 == "main" && $1 !~ /security/ { print $1; exit }')
	rm -rf "$root.part"
	mkdir -p "$root.part"
	debootstrap --variant=minbase --include=git,make "$suite" "$root.part" "$mirror" >&2
	rm -f "$root.part"/var/cache/apt/archives/*.deb
	mv "$root.part" "$root"
fi
echo "$root"
