#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Becomes systemd, as process 1 of the namespaces that it is started in, on a root file system with a layer of memory
# above it. What `systemd.py` does there is in no file of the machine's.
#
#   boot.sh DIRECTORY PROJECT ROOT    DIRECTORY/shared and PROJECT are to be seen inside, where they are outside too
#
# It says that it runs by an empty line, waits for one, and leaves its process id as the machine sees it in DIRECTORY/pid.
set -eu
directory=$1 project=$2 below=$3
echo
read -r _
exec >&2

# Of these outer /proc and /sys there is no other way to learn who one is there.
read -r pid _ </proc/self/stat

base=$directory/mnt root=$directory/mnt/root
mkdir "$base"
mount -t tmpfs -o mode=755 lab "$base"
mkdir "$base/upper" "$base/work" "$root"
mount -t overlay -o "lowerdir=$below,upperdir=$base/upper,workdir=$base/work" lab "$root"
for place in dev proc sys run tmp; do
	mkdir -p "$root/$place"
done
# The kernel's settings are everyone's: what would change them, or devices, stays away from what is read-only.
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

# Nothing that is set up on the machine is to start here: only what the distribution itself makes part of a boot.
rm -rf "$root/etc/systemd/system" "$root"/etc/rc?.d "$root"/etc/init.d "$root"/var/log/journal
mkdir -p "$root/etc/systemd/system" "$root/etc/systemd/journald.conf.d" "$root/etc/tmpfiles.d"
ln -sf /dev/null "$root/etc/tmpfiles.d/tmp.conf" # it would empty /tmp, where the project may lie
: >"$root/etc/fstab"
tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id" # without one, systemd would enable all that there is
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
