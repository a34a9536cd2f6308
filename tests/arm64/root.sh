#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes a Debian of arm64 in build/arm64/root: the files of its packages, and Debian's kernel for virtual machines. No
# package is configured, because that would execute programs of arm64; what tests need of it is done here. Minutes; what
# is there already stays. Prints the directory.
set -euo pipefail
cd "$(dirname "$0")/../.."
base=$PWD/build/arm64 root=$PWD/build/arm64/root
if [ -d "$root" ]; then
	echo "$root"
	exit
fi

# What tests and the recorder need beside Debian's essential packages, and `linux-image`.
packages="busybox-static gcc iproute2 kmod libc6-dev mount procps python3 python3-bpfcc python3-click python3-grpcio
	python3-hypothesis python3-lark python3-protobuf python3-pytest python3-pytest-timeout python3-systemd runc strace
	linux-image-arm64"

# apt uses a status, lists and a cache of its own, so the machine's packages and sources stay unchanged.
mkdir -p "$base"/apt/{lists/partial,cache/archives/partial,sources}
# shellcheck disable=SC2016 # apt's own variable
uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' \
	'Component: main' | head -n 1)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
{
	printf 'Types: deb\nURIs: %s\nSuites: bookworm\nComponents: main\n' "$uri"
	[ ! -e $keyring ] || printf 'Signed-By: %s\n' $keyring
} >"$base/apt/sources/debian.sources"
: >"$base/apt/status"
cat >"$base/apt/conf" <<END
APT::Architecture "arm64";
APT::Architectures "arm64";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Dir::State "$base/apt";
Dir::State::Lists "$base/apt/lists";
Dir::State::status "$base/apt/status";
Dir::Cache "$base/apt/cache";
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "$base/apt/sources";
Dir::Etc::Parts "/dev/null";
Dir::Etc::Main "/dev/null";
END
export APT_CONFIG=$base/apt/conf
apt-get -qq update >&2
# shellcheck disable=SC2086 # a list
apt-get -qq --yes --download-only install '?essential' $packages >&2

rm -rf "$root.part"
mkdir -p "$root.part/usr"/{bin,sbin,lib}
for directory in bin sbin lib; do # as in a Debian that is installed; the packages themselves still have both
	ln -s "usr/$directory" "$root.part/$directory"
done
for package in "$base"/apt/cache/archives/*.deb; do
	dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C "$root.part"
done
cp "$root.part"/usr/share/base-passwd/passwd.master "$root.part/etc/passwd"
cp "$root.part"/usr/share/base-passwd/group.master "$root.part/etc/group"
mkdir -p "$root.part"/{dev,proc,run,sys,tmp}
ln -s mawk "$root.part/usr/bin/awk" # what update-alternatives does
ln -s gcc "$root.part/usr/bin/cc"
# The compiled form of Python's modules is the same for all architectures.
/usr/bin/python3 -m compileall -q -s "$root.part" -p / "$root.part"/usr/lib/python3* >/dev/null || true
rm "$base"/apt/cache/archives/*.deb
mv "$root.part" "$root"
echo "$root"
