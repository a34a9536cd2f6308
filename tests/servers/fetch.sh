#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes nginx's and postgres's programs in build/servers/root from Debian's packages, whose own scripts would start
# services on a developer's machine. What is there already stays.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD/build/servers/root
[ ! -e "$root/usr/sbin/nginx" ] || [ ! -e "$root/usr/lib/postgresql/15/bin/pgbench" ] || exit 0
mkdir -p build/servers/debs "$root"
cd build/servers/debs
apt-get --quiet --quiet --option APT::Sandbox::User=root download nginx postgresql-15 postgresql-client-15
for package in *.deb; do
	dpkg --extract "$package" "$root"
done
