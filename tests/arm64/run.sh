#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Boots Debian for arm64 in a virtual machine, and runs a command there in the project's directory. The command's output
# and exit status become this script's. README.md beside it explains.
#
#   tests/arm64/run.sh [COMMAND...]    default: both demos
#
#   KERNEL_TIMEOUT_S=SECONDS    the machine is killed after that (3600), and the exit status is 124
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
project=$(cd "$here/../.." && pwd)
if [ $# = 0 ]; then
	set -- .venv/bin/python -m lab.demo
fi

"$project/packaging/install-packages.sh" cpio kmod qemu-system-arm >&2
root=$("$here/root.sh")
vmlinuz=$(echo "$root"/boot/vmlinuz-*)
version=${vmlinuz##*/vmlinuz-}

work=$(mktemp -d)
trap 'kill %1 2>/dev/null || true; wait; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The initramfs, used until the root is mounted: a shell, drivers for a directory shared by qemu, and the init that other
# kernels have too.
initrd=$work/initrd
modules=$initrd/lib/modules/$version
mkdir -p "$initrd"/{bin,dev,proc,root} "$modules"
cp "$root/bin/busybox" "$initrd/bin/"
install -m 755 "$here/../kernels/init" "$initrd/"
wanted='.*/(modules\.builtin|kernel/(drivers/virtio|net/9p|fs/(9p|netfs|fscache|overlayfs))/[^/]*)'
find "$root/lib/modules/$version/" -regextype posix-extended -regex "$wanted" -exec cp {} "$modules/" \;
depmod -b "$initrd" "$version" 2>/dev/null # without the list of modules' order
{
	printf 'cd %q\nexec tests/arm64/inside.sh' "$project"
	printf ' %q' "$@"
} >"$initrd/command"
(cd "$initrd" && find . | cpio -o -H newc --quiet) >"$work/initrd.cpio"

# Serial lines: the command's output, its exit status; ttyAMA0 has the kernel's messages.
timeout --kill-after=5 "${KERNEL_TIMEOUT_S:-3600}" qemu-system-aarch64 \
	-M virt -accel tcg,thread=multi -cpu neoverse-n1 -smp 2 -m 3072 -nic none -display none -no-reboot \
	-kernel "$vmlinuz" -initrd "$work/initrd.cpio" \
	-append "console=ttyAMA0 quiet mitigations=off oops=panic panic=-1 project=$project" \
	-virtfs "local,path=$root,mount_tag=host,security_model=none,readonly=on,multidevs=remap" \
	-virtfs "local,path=$project,mount_tag=project,security_model=none,readonly=on,multidevs=remap" \
	-chardev stdio,id=output -chardev "file,id=status,path=$work/status" \
	-device pci-serial-2x,chardev1=output,chardev2=status -serial "file:$work/messages" </dev/null &
wait %1 # bash handles signals at once only while it waits for a background job

status=$(tr -d '\r\n' <"$work/status")
if [ "$status" != 0 ]; then
	echo "run.sh: on Linux $version: ${status:-the machine died before the command ended}" >&2
	cat "$work/messages" >&2
fi
exit "${status:-125}"
