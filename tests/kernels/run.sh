#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Boots another kernel in a virtual machine with this machine's root, and runs a command there in the project's
# directory. The command's output and exit status become this script's. README.md beside it explains.
#
#   tests/kernels/run.sh [COMMAND...]    default: the tests marked `vm`
#
#   KERNEL_DEB=FILE             another kernel than Debian's linux-image-amd64
#   KERNEL_TIMEOUT_S=SECONDS    the machine is killed after that (1800), and the exit status is 124
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
project=$(cd "$here/../.." && pwd)
cache=$project/build/kernels
if [ $# = 0 ]; then
	set -- .venv/bin/python -m pytest -q -p no:cacheprovider -m vm tests
fi

# A directory in the cache is complete or absent, because it gets its name last.
if ! { command -v qemu-system-x86_64 && command -v cpio && command -v aa-exec && [ -d "$cache/debian" ]; } >/dev/null; then
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends qemu-system-x86 cpio apparmor >&2
	newest=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: //p')
	rm -rf "$cache/debian" "$cache/debian.part"
	mkdir -p "$cache/debian.part"
	(cd "$cache/debian.part" && apt-get download -qq -o APT::Sandbox::User=root busybox-static "$newest")
	mv "$cache/debian.part" "$cache/debian"
fi

# Prints the directory that holds a package's files.
unpack() {
	local files=$cache/$(basename "$1" .deb)
	if [ ! -d "$files" ]; then
		rm -rf "$files.part"
		dpkg-deb -x "$1" "$files.part"
		mv "$files.part" "$files"
	fi
	echo "$files"
}

kernel=$(unpack "${KERNEL_DEB:-$(echo "$cache"/debian/linux-image-*.deb)}")
vmlinuz=$(echo "$kernel"/boot/vmlinuz-*)
version=${vmlinuz##*/vmlinuz-}
busybox=$(find "$(unpack "$cache"/debian/busybox-static_*.deb)" -path '*/bin/busybox')

work=$(mktemp -d)
trap 'kill %1 2>/dev/null || true; wait; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The initramfs, used until the root is mounted: a shell, drivers for a directory shared by qemu, and our init.
initrd=$work/initrd
modules=$initrd/lib/modules/$version
mkdir -p "$initrd"/{bin,dev,proc,host,changes,root} "$modules"
cp "$busybox" "$initrd/bin/"
install -m 755 "$here/init" "$initrd/"
wanted='.*/(modules\.builtin|kernel/(drivers/virtio|net/9p|fs/(9p|netfs|fscache|overlayfs))/[^/]*)'
find "$kernel" -regextype posix-extended -regex "$wanted" -exec cp {} "$modules/" \;
find "$modules" -name '*.xz' -exec "$busybox" unxz {} +
"$busybox" depmod -b "$initrd" "$version"
{
	printf 'cd %q\nexec' "$project"
	printf ' %q' "$@"
} >"$initrd/command"
(cd "$initrd" && find . | cpio -o -H newc --quiet) >"$work/initrd.cpio"

# Serial lines: the command's output, its exit status, the kernel's messages. The clock source is set because a kernel
# that distrusts its own reads the time by system calls, which tests count.
options="console=ttyS2 quiet oops=panic panic=-1 clocksource=tsc tsc=reliable"
timeout --kill-after=5 "${KERNEL_TIMEOUT_S:-1800}" qemu-system-x86_64 \
	-accel tcg,thread=multi -cpu max -smp 2 -m 2048 -nodefaults -display none -no-reboot \
	-kernel "$vmlinuz" -initrd "$work/initrd.cpio" -append "$options" \
	-virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
	-serial stdio -serial "file:$work/status" -serial "file:$work/messages" </dev/null &
wait %1 # bash handles signals at once only while it waits for a background job

status=$(tr -d '\r\n' <"$work/status")
if [ "$status" != 0 ]; then
	echo "run.sh: on Linux $version: ${status:-the machine died before the command ended}" >&2
	cat "$work/messages" >&2
fi
exit "${status:-125}"
