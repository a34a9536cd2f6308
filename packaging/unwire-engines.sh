#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Undoes what `traceloopctl engine enable` and `disable` did, for all engines; packages run it before they are removed.
# An engine that runs still has in its memory what was undone, and would start no container once our programs are gone.
# One that takes it on a reload, which stops no container, is told. Where it must be restarted, that is the
# administrator's to do: the package stays until then, however often one tries. It also stays while a container runs that
# our runtime started: without it docker says that such a one was stopped and removed, and its processes live on.
set -eu

# The units that are to be restarted, and the process that each was by then. A boot empties /run, and restarts them.
waiting=/run/traceloop-unwired

main_pid() {
	systemctl show --property=MainPID --value "$1"
}

# Whether an engine's runtime is ours, or a script of dockerd's that runs it.
is_ours() {
	case $1 in
	*/traceloop-runtime | */traceloop-runc | */traceloop-crun) return 0 ;;
	/*) grep -qs traceloop-runtime "$1" ;;
	*) return 1 ;;
	esac
}

# The ids of containers whose engine's keeper (containerd's shim, in its container's bundle; podman's conmon) has it.
ours_that_run() {
	for process in /proc/[0-9]*; do
		case $(cat "$process/comm" 2>/dev/null) in
		containerd-shim)
			runtime=$(sed -n 's/.*"binary_name":"\([^"]*\)".*/\1/p' "$process/cwd/options.json" 2>/dev/null) || continue
			is_ours "$runtime" && basename "$(readlink "$process/cwd")"
			;;
		conmon)
			words=$(tr '\0' '\n' <"$process/cmdline" 2>/dev/null) || continue
			is_ours "$(echo "$words" | grep -A1 -xe -r -e --runtime | tail -n 1)" &&
				echo "$words" | grep -A1 -xe -c -e --cid | tail -n 1
			;;
		esac || true
	done
}

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
	*) echo "${how#* } $(main_pid "${how#* }")" >>"$waiting" ;;
	esac
done

# What `disable` undid before, and an engine that runs has not read. It knows of a reload when it was told just now too.
still=
due=$(/usr/bin/traceloopctl engine status --restarts </dev/null) || echo "traceloop: cannot ask engines that run" >&2
while read -r command; do
	case $command in
	"systemctl reload "*) $command ;;
	?*) still="$still; $command" ;;
	esac
done <<END
$due
END

if [ -e "$waiting" ]; then
	while read -r unit pid; do
		case $still in *"systemctl restart $unit"*) continue ;; esac
		if systemctl is-active --quiet "$unit" && [ "$(main_pid "$unit")" = "$pid" ]; then
			still="$still; systemctl restart $unit"
		fi
	done <"$waiting"
fi
if [ -n "$still" ]; then
	echo "traceloop: first run: ${still#; }. Until then containers need our programs, which stay. Then try again." >&2
	exit 1
fi
rm -f "$waiting"

running=$(ours_that_run | tr '\n' ' ')
if [ -n "$running" ]; then
	echo "traceloop: these containers run by traceloop-runtime, and nothing could stop them without it: $running" >&2
	echo "traceloop: remove them (docker rm -f), and start them anew if need be, without it. Then try again." >&2
	exit 1
fi
