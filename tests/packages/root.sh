#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes a fresh Debian with systemd and the package's dependencies, but without the package, and prints its path. It is
# kept in build/roots; tests change only a layer above it.
#
#   tests/packages/root.sh DEB [SUITE]      default: bookworm
set -eu
cd "$(dirname "$0")/../.."
deb=$1 suite=${2:-bookworm}
root=$PWD/build/roots/$suite
if [ -d "$root" ]; then
	echo "$root"
	exit
fi

needed=$(dpkg-deb --field "$deb" Depends)
mirror=$(apt-get indextargets --format '$(SITE) $(COMPONENT)' 'Created-By: Packages' |
	awk '$2 == "main" && $1 !~ /security/ { print $1; exit }')
rm -rf "$root.part"
mkdir -p "$root.part"
{
	debootstrap --variant=minbase --include=ca-certificates,dbus,man-db,systemd-sysv "$suite" "$root.part" "$mirror"
	tests/packages/apt_in.sh "$root.part" satisfy "$needed"
	tests/packages/apt_in.sh "$root.part" install bash-completion busybox-static fish gcc libc6-dev make runc scdoc zsh
} >&2
mv "$root.part" "$root"
echo "$root"
