#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the built files, or removes them. Only this script defines where each file goes: the Debian package, the RPM
# and `make install` all run it. README.md in this directory explains the layout.
#
#   packaging/install.sh install|uninstall|list      in the project's directory, after `make hook man`
#
# Variables: PREFIX, DESTDIR and PYTHON; each of the directories below; COMPILE=no does not compile Python's modules,
# for packages that compile them at installation.
set -eu
# Other users read these directories, too: podman fails containers of a user who may not read a directory of hooks.
umask 022

: "${PREFIX:=/usr/local}" "${DESTDIR=}" "${PYTHON:=/usr/bin/python3}" "${COMPILE:=yes}"
: "${BINDIR:=$PREFIX/bin}" "${SBINDIR:=$PREFIX/sbin}" "${HOOKDIR:=$PREFIX/libexec/oci/hooks.d}"
: "${PACKAGEDIR:=$PREFIX/lib/traceloop}" "${MANDIR:=$PREFIX/share/man}" "${DOCDIR:=$PREFIX/share/doc/traceloop}"
: "${UNITDIR:=$PREFIX/lib/systemd/system}" "${CATALOGDIR:=$PREFIX/lib/systemd/catalog}"
: "${SYSUSERSDIR:=$PREFIX/lib/sysusers.d}" "${TMPFILESDIR:=$PREFIX/lib/tmpfiles.d}"
: "${BASHDIR:=$PREFIX/share/bash-completion/completions}" "${ZSHDIR:=$PREFIX/share/zsh/site-functions}"
: "${FISHDIR:=$PREFIX/share/fish/vendor_completions.d}"
# The daemon and the engines read these two from fixed places, whatever the prefix is.
: "${SYSCONFDIR:=/etc}" "${HOOKSDIR:=/usr/share/containers/oci/hooks.d}"

# Calls "$1 MODE SOURCE TARGET" for each file. A program comes before the files that make others run it: hooks.d is
# last, since engines read its files as soon as they exist. (Removal is in reverse order.)
each_file() {
	for package in bpf decode proto daemon cli ship explain; do
		directory=$package/traceloop_$package
		for file in $(find "$directory" -type f ! -name '*.py[ci]' ! -name '*.md' | sort); do
			"$1" 644 "$file" "$PACKAGEDIR/${file#*/}"
		done
	done
	"$1" 755 packaging/launchers/traceloopctl "$BINDIR/traceloopctl"
	"$1" 755 packaging/launchers/kubectl-traceloop "$BINDIR/kubectl-traceloop"
	"$1" 755 packaging/launchers/traceloopd "$SBINDIR/traceloopd"
	"$1" 755 packaging/launchers/traceloop-ship "$SBINDIR/traceloop-ship"
	"$1" 755 packaging/launchers/traceloop-explain "$PACKAGEDIR/traceloop-explain"
	"$1" 755 packaging/unwire-engines.sh "$PACKAGEDIR/unwire-engines"
	for file in build/man/*.[1-8]; do
		optional "$1" 644 "$file" "$MANDIR/man${file##*.}/${file##*/}"
	done
	for file in README.md CHANGELOG.md docs/*.md docs/*.schema.json; do
		"$1" 644 "$file" "$DOCDIR/${file##*/}"
	done
	"$1" 644 packaging/completion/traceloopctl.bash "$BASHDIR/traceloopctl"
	"$1" 644 packaging/completion/_traceloopctl "$ZSHDIR/_traceloopctl"
	"$1" 644 packaging/completion/traceloopctl.fish "$FISHDIR/traceloopctl.fish"
	"$1" 644 packaging/traceloop.toml "$SYSCONFDIR/traceloop/traceloop.toml"
	"$1" 644 systemd/traceloop.sysusers "$SYSUSERSDIR/traceloop.conf"
	"$1" 644 systemd/traceloop.tmpfiles "$TMPFILESDIR/traceloop.conf"
	"$1" 644 systemd/traceloop.catalog "$CATALOGDIR/traceloop.catalog"
	for file in systemd/*.service systemd/*.socket systemd/*.path systemd/*.timer; do
		"$1" 644 "$file" "$UNITDIR/${file##*/}"
	done
	"$1" 755 hook/traceloop_hook/traceloop-add-hooks "$HOOKDIR/traceloop-add-hooks"
	"$1" 755 hook/traceloop_hook/traceloop-runtime "$HOOKDIR/traceloop-runtime"
	"$1" 755 build/hook/traceloop-hook "$HOOKDIR/traceloop-hook"
	for file in packaging/hooks.d/*.json; do
		"$1" 644 "$file" "$HOOKSDIR/${file##*/}"
	done
}

optional() {
	[ ! -e "$3" ] || "$@"
}

# Files refer to each other by the paths of a distribution's package, or of the sources; this replaces them by the paths
# of this installation.
rewritten() {
	sed -e "s|/usr/libexec/oci/hooks\.d|$HOOKDIR|g" \
		-e "s|/usr/bin/traceloop|$BINDIR/traceloop|g" -e "s|/usr/sbin/traceloop|$SBINDIR/traceloop|g" \
		-e "s|/usr/lib/traceloop|$PACKAGEDIR|g" -e "s|/etc/traceloop|$SYSCONFDIR/traceloop|g" \
		-e "s|/usr/share/doc/traceloop|$DOCDIR|g" -e 's|docs/\([a-z-]*\.md\)|\1|g' \
		-e "1s|^#!/usr/bin/python3|#!$PYTHON|" -e "/^ExecPaths=/s|/usr/bin/python3|$PYTHON|" "$1"
}

# Writes a file under another name first, so that it is never incomplete under its own.
put() {
	target=$DESTDIR$3
	if [ "$3" = "$SYSCONFDIR/traceloop/traceloop.toml" ] && [ -e "$target" ]; then
		echo "$target exists already and is kept" >&2
		return
	fi
	[ -d "${target%/*}" ] || mkdir -p "${target%/*}"
	case $2 in
	*.py | *.h | *.c | build/hook/*) install -m "$1" "$2" "$target.part" ;;
	*)
		rewritten "$2" >"$target.part"
		chmod "$1" "$target.part"
		;;
	esac
	# What engines run and read must not be empty after a crash: they would fail containers.
	case $3 in "$HOOKDIR"/* | "$HOOKSDIR"/*) sync "$target.part" ;; esac
	mv "$target.part" "$target"
}

list() {
	echo "$DESTDIR$3"
}

case ${1-} in
install)
	each_file put
	[ "$COMPILE" = no ] || "$PYTHON" -m compileall -q ${DESTDIR:+-s "$DESTDIR"} "$DESTDIR$PACKAGEDIR"
	;;
list)
	each_file list
	;;
uninstall)
	if [ -z "$DESTDIR" ] && [ -x "$PACKAGEDIR/unwire-engines" ]; then
		"$PACKAGEDIR/unwire-engines"
	fi
	each_file list | tac | while read -r target; do
		case $target in
		*/traceloop.toml) if rewritten packaging/traceloop.toml | cmp -s - "$target"; then rm "$target"; fi ;; # an edited one stays
		*) rm -f "$target" ;;
		esac
	done
	rm -rf "$DESTDIR${PACKAGEDIR:?}"
	for directory in "$DOCDIR" "$SYSCONFDIR/traceloop"; do
		rmdir "$DESTDIR$directory" 2>/dev/null || true # the directory may hold other files
	done
	;;
*)
	sed -n 's/^#   //p' "$0" >&2
	exit 2
	;;
esac
