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
	# shellcheck disable=SC2016 # the inner shell's
	unshare --mount --propagation private sh -euc '
		mount -t proc proc "$1/proc"
		mount -t tmpfs dev "$1/dev"
		mknod -m 666 "$1/dev/null" c 1 3
		mknod -m 666 "$1/dev/urandom" c 1 9
		export DEBIAN_FRONTEND=noninteractive
		chroot "$1" apt-get update
		chroot "$1" apt-get --yes --no-install-recommends install containerd docker.io podman
		chroot "$1" apt-get clean' - "$root.part"
} >&2
mv "$root.part" "$root"
echo "$root"
