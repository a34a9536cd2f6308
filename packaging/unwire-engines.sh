#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Undoes what `traceloopctl engine enable` and `disable` did, for all engines; packages run it before they are removed.
# An engine that runs still has in its memory what was undone, and would start no container once our programs are gone.
# One that takes it on a reload, which stops no container, is told. Where it must be restarted, that is the
# administrator's to do: the package stays until then.
set -eu

waiting=
for record in /etc/traceloop/engines/*.json; do
	[ -e "$record" ] || continue
	engine=${record##*/}
	engine=${engine%.json}
	engine=${engine%.off} # a mask, which `disable` made
	if ! said=$(/usr/bin/traceloopctl engine disable --uninstall --yes "$engine" </dev/null); then
		echo "traceloop: $engine still runs our programs. Undo that by hand, and remove $record; then try again." >&2
		exit 1
	fi
	echo "$said"
	how=$(echo "$said" | sed -n 's/^now run: systemctl \(reload\|restart\) \([a-z0-9.@-]*\).*/\1 \2/p')
	[ -n "$how" ] && systemctl is-active --quiet "${how#* }" 2>/dev/null || continue
	case $how in
	reload*) systemctl reload "${how#* }" ;;
	*) waiting="$waiting; systemctl $how" ;;
	esac
done
if [ -n "$waiting" ]; then
	echo "traceloop: first run: ${waiting#; }. Until then containers need our programs, which stay. Then try again." >&2
	exit 1
fi
