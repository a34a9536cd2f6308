#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs apt-get in a root that is being made, with the mounts that packages' scripts need; they are undone at the end.
#
#   tests/packages/apt_in.sh ROOT WORD...      words of `apt-get --yes --no-install-recommends`
set -eu
# shellcheck disable=SC2016 # the inner shell's
exec unshare --mount --propagation private sh -euc '
	mount -t proc proc "$1/proc"
	mount -t tmpfs dev "$1/dev"
	mknod -m 666 "$1/dev/null" c 1 3
	mknod -m 666 "$1/dev/urandom" c 1 9
	export DEBIAN_FRONTEND=noninteractive
	root=$1
	shift
	chroot "$root" apt-get update
	chroot "$root" apt-get --yes --no-install-recommends "$@"
	chroot "$root" apt-get clean' - "$@"
