#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes a fresh Debian with systemd and with what the package depends on, but not the package, and prints where it is.
# It is kept in build/roots; what tests change there is in a layer above it.
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

needed="$(dpkg-deb --field "$deb" Pre-Depends), $(dpkg-deb --field "$deb" Depends)"
mirror=$(apt-get indextargets --format '$(SITE) $(COMPONENT)' 'Created-By: Packages' |
	awk '$2 == "main" && $1 !~ /security/ { print $1; exit }')
rm -rf "$root.part"
mkdir -p "$root.part"
{
	debootstrap --variant=minbase --include=ca-certificates,dbus,man-db,systemd-sysv "$suite" "$root.part" "$mirror"
	# shellcheck disable=SC2016 # the inner shell's
	unshare --mount --propagation private sh -euc '
		mount -t proc proc "$1/proc"
		mount -t tmpfs dev "$1/dev"
		mknod -m 666 "$1/dev/null" c 1 3
		mknod -m 666 "$1/dev/urandom" c 1 9
		export DEBIAN_FRONTEND=noninteractive
		chroot "$1" apt-get update
		chroot "$1" apt-get --yes --no-install-recommends satisfy "$2"
		chroot "$1" apt-get --yes --no-install-recommends install bash-completion busybox-static fish make runc \
			scdoc zsh
		chroot "$1" apt-get clean' - "$root.part" "$needed"
} >&2
mv "$root.part" "$root"
echo "$root"
