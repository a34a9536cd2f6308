#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds strace's own tests in the given directory, from Debian's source package: some five minutes on one processor.
#
#   tests/strace/suite/build.sh build/strace-suite
set -eu

VERSION=6.1
here=$(cd "$(dirname "$0")/../../.." && pwd)
mkdir -p "$1"
cd "$1"
[ ! -e built ] || exit 0

"$here/packaging/install-packages.sh" dpkg-dev gawk gcc libc6-dev make patch xz-utils

# Uses package lists of its own, so that the machine's stay unchanged.
mkdir -p lists/partial
keys=/usr/share/keyrings/debian-archive-keyring.gpg
from=$(sed -n 's/^URIs: *//p; s/^deb \(\[[^]]*\] \)*\([^ ]*\) .*/\2/p' /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null | head -n 1)
if [ -z "$from" ]; then
	echo "build.sh: no source of packages in /etc/apt/sources.list.d/debian.sources or /etc/apt/sources.list: add Debian's" >&2
	exit 1
fi
echo "deb-src [signed-by=$keys] $from bookworm main" >sources.list
apt="apt-get -q -o Dir::Etc::sourcelist=$PWD/sources.list -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists=$PWD/lists
	-o APT::Sandbox::User=root"
$apt update
rm -rf "strace-$VERSION"
$apt source strace # the only version in bookworm: apt 2.6.1 finds no source by a pattern of versions

cd "strace-$VERSION"
# Its own kernel headers: Debian's 6.1.192 renames a field that it prints (struct nexthop_grp's resvd1).
./configure --enable-mpers=no --disable-gcc-Werror --enable-bundled=yes >../configure.log
make -C src >../make.log
make -C tests check TESTS= >>../make.log
touch ../built
