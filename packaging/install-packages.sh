#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs those of the named Debian packages that are missing. Uses the network only if one is.
set -eu

missing=
for package; do
	[ "$(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
		missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "missing packages:$missing; run this as root, or install them" >&2
	exit 1
fi
echo "Installing$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get --quiet --quiet update
# shellcheck disable=SC2086 # a list
apt-get --quiet --quiet --yes --no-install-recommends install $missing </dev/null >/dev/null
