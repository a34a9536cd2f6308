#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs commands in a clone of the committed sources, on a Debian in which only the packages that README.md requires are
# installed. It shares this machine's kernel, process ids (as the recorder sees them), cgroups and network; its files
# and mounts are its own, and are removed at the end.
#
#   tests/bare/run.sh [COMMAND...]      default: the commands in README.md under "Try it", and `make lint`
#
#   BARE_PYTEST="-k WORD"       pytest options for `make test`, passed in PYTEST_ADDOPTS
#   BARE_BINDS="PATH..."        files and directories of this machine to bind-mount there: pip's configuration and
#                               packages, if this machine has its own
set -eu
cd "$(dirname "$0")/../.."
root=$(tests/bare/root.sh)
if [ $# = 0 ]; then
	python3 tests/support/readme.py bare | {
		while read -r line; do
			set -- "$@" "$line"
		done
		exec "$0" "$@" "make lint"
	}
	exit
fi

layer=$(mktemp -d)
trap 'rmdir "$layer"' EXIT
# shellcheck disable=SC2016 # the inner shell's
unshare --mount --propagation private sh -euc '
	layer=$1 below=$2 project=$3
	shift 3
	mount -t tmpfs layer "$layer"
	mkdir "$layer/upper" "$layer/work" "$layer/root"
	mount -t overlay -o "lowerdir=$below,upperdir=$layer/upper,workdir=$layer/work" bare "$layer/root"
	cd "$layer/root"
	mount -t proc proc proc
	mount --rbind /sys sys
	[ -e sys/kernel/tracing/events ] || mount -t tracefs tracefs sys/kernel/tracing
	mount -t bpf bpf sys/fs/bpf
	mount -t tmpfs -o mode=755 run run
	mount -t tmpfs -o mode=1777 tmp tmp
	mount -t tmpfs -o mode=755 dev dev
	mkdir dev/shm dev/pts
	mount -t tmpfs -o mode=1777 shm dev/shm
	mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
	ln -s pts/ptmx dev/ptmx
	ln -s /proc/self/fd dev/fd
	for device in "null 3" "zero 5" "full 7" "random 8" "urandom 9"; do
		mknod -m 666 "dev/${device% *}" c 1 "${device#* }"
	done
	mknod -m 666 dev/tty c 5 0
	cp /etc/resolv.conf etc/
	mount --bind "$project/.git" media
	mount -o remount,bind,ro media
	for path in ${BARE_BINDS-}; do
		mkdir -p "./${path%/*}"
		if [ -d "$path" ]; then mkdir -p "./$path"; else : >"./$path"; fi
		mount --rbind "$path" "./$path"
	done
	pivot_root . mnt
	umount -l mnt
	exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb LANG=C.UTF-8 \
		PYTEST_ADDOPTS="${BARE_PYTEST-}" sh -euc "
		git clone --quiet /media /root/traceloop
		cd /root/traceloop
		for command; do
			echo \"\$ \$command\"
			sh -euc \"\$command\"
		done" sh "$@"
' sh "$layer" "$root" "$PWD" "$@"
