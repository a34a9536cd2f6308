#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Becomes systemd, as process 1 of the namespaces in which it is started, on a root file system with a layer in memory
# above it. Nothing that `systemd.py` does there changes a file of the machine.
#
#   boot.sh DIRECTORY PROJECT ROOT    DIRECTORY/shared and PROJECT are visible inside under the same paths
#
# Writes an empty line once it runs, waits for one, and writes its process id on the machine to DIRECTORY/pid.
set -eu
directory=$1 project=$2 below=$3
echo
read -r _
exec >&2

# Only the machine's /proc tells a process its id there.
read -r pid _ </proc/self/stat

base=$directory/mnt root=$directory/mnt/root
mkdir "$base"
mount -t tmpfs -o mode=755 lab "$base"
mkdir "$base/upper" "$base/work" "$root"
mount -t overlay -o "lowerdir=$below,upperdir=$base/upper,workdir=$base/work" lab "$root"
for place in dev proc sys run tmp; do
	mkdir -p "$root/$place"
done
# The kernel's settings are shared: units that would change them, or devices, do nothing on read-only file systems.
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tracefs tracefs "$root/sys/kernel/tracing"
mount -t bpf bpf "$root/sys/fs/bpf"
mount -t tmpfs -o mode=755 run "$root/run"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
mount -t tmpfs -o mode=755 dev "$root/dev"
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for device in "null 3" "zero 5" "full 7" "random 8" "urandom 9"; do
	mknod -m 666 "$root/dev/${device% *}" c 1 "${device#* }"
done
mknod -m 666 "$root/dev/tty" c 5 0
for place in "$project" "$directory/shared"; do
	mkdir -p "$root$place"
	mount --bind "$place" "$root$place"
done
mount -o remount,bind,ro "$root$project"

# No unit enabled on the machine may start here: only those that the distribution itself makes part of a boot.
rm -rf "$root/etc/systemd/system" "$root"/etc/rc?.d "$root"/etc/init.d "$root"/var/log/journal
mkdir -p "$root/etc/systemd/system" "$root/etc/systemd/journald.conf.d" "$root/etc/tmpfiles.d"
ln -sf /dev/null "$root/etc/tmpfiles.d/tmp.conf" # it would empty /tmp, which may contain the project
: >"$root/etc/fstab"
tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id" # without an id, systemd would enable all units
cat >"$root/etc/systemd/journald.conf.d/lab.conf" <<'END'
[Journal]
Storage=volatile
RateLimitIntervalSec=0
Audit=no
END
cat >"$root/etc/systemd/system/lab.target" <<'END'
[Unit]
Requires=basic.target
Wants=dbus.socket
After=basic.target dbus.socket
AllowIsolate=yes
END

echo "$pid" >"$directory/pid"
cd "$root"
pivot_root . .
umount -l .
exec env -i container=lab PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	NOTIFY_SOCKET="$directory/shared/notify" /lib/systemd/systemd --unit=lab.target </dev/null
