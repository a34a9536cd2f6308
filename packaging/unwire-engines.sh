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

# What others wrote, as it may be printed.
printable() {
	head -c 65536 | tr -c '[:print:]\n' '?'
}

# Whether an engine's runtime is ours, or a script of dockerd's that runs it.
is_ours() {
	case $1 in
	*/traceloop-runtime | */traceloop-runc | */traceloop-crun) return 0 ;;
	/*) is_roots_file "$1" && head -c 65536 "$1" | grep -q traceloop-runtime ;;
	*) return 1 ;;
	esac
}

# A pipe or a device would keep whoever opens it waiting, and another's file says what he likes.
is_roots_file() {
	[ -f "$1" ] && [ "$(stat -L -c %u "$1" 2>/dev/null)" = 0 ]
}

# Whether a process is root's by all its user ids, runs a program of root's of this name, which was not lent to its user
# by a bit of its mode, and sees the files that we or an engine see: a container's root does not. Forks come last, since
# others may have started very many processes.
is_keeper() {
	name=
	read -r name <"$1/comm" || [ "$name" ] || return 1
	[ "$name" = "$2" ] || return 1
	while read -r field real effective saved fs; do
		[ "$field" = Uid: ] || continue
		[ "$real $effective $saved $fs" = "0 0 0 0" ] || return 1
		program=$(readlink "$1/exe") || return 1
		case ${program##*/} in "$2"*) ;; *) return 1 ;; esac
		[ ! -u "$1/exe" ] && [ "$(stat -L -c %u "$1/exe")" = 0 ] || return 1
		[ "$(readlink "$1/ns/pid")" = "$(readlink /proc/self/ns/pid)" ] || return 1
		case $views in *" $(readlink "$1/ns/mnt") "*) return 0 ;; *) return 1 ;; esac
	done <"$1/status"
	return 1
}

# The word after one of these options.
word_after() {
	printf '%s\n' "$words" | grep -A1 -xe "$1" -e "$2" | tail -n 1
}

# The ids of containers whose engine's keeper (containerd's shim, in its container's bundle; podman's conmon) has it.
ours_that_run() {
	# Files may be kept from a unit, and its children then see what it sees.
	views=" $(readlink /proc/self/ns/mnt) "
	for unit in containerd docker podman; do
		pid=$(main_pid "$unit.service" 2>/dev/null) || continue
		views="$views$(readlink "/proc/$pid/ns/mnt" || :) "
	done
	for process in /proc/[0-9]*; do
		if is_keeper "$process" containerd-shim; then
			is_roots_file "$process/cwd/options.json" || continue
			runtime=$(head -c 65536 "$process/cwd/options.json" | sed -n 's/.*"binary_name":"\([^"]*\)".*/\1/p')
			is_ours "$runtime" && basename "$(readlink "$process/cwd")"
		elif is_keeper "$process" conmon; then
			words=$(head -c 65536 "$process/cmdline" | tr '\0' '\n')
			is_ours "$(word_after -r --runtime)" && word_after -c --cid
		fi || true # it ended meanwhile
	done 2>/dev/null
}

case ${1-} in
--running) # this script's own, so that it can be bounded
	ours_that_run
	exit
	;;
esac

# No process of anyone's, nor an engine, may hold up a removal.
bounded() {
	timeout --kill-after=5 "$@"
}

for record in /etc/traceloop/engines/*.json; do
	[ -e "$record" ] || continue
	engine=${record##*/}
	engine=${engine%.json}
	engine=${engine%.off} # a mask, which `disable` made
	if ! said=$(bounded 120 /usr/bin/traceloopctl engine disable --uninstall --yes "$engine" </dev/null); then
		echo "traceloop: $engine still runs our programs. Undo that by hand, and remove $record; then try again." >&2
		exit 1
	fi
	printf '%s\n' "$said"
	how=$(printf '%s\n' "$said" | sed -n 's/^now run: systemctl \(reload\|restart\) \([a-z0-9.@-]*\).*/\1 \2/p')
	[ -n "$how" ] && systemctl is-active --quiet "${how#* }" 2>/dev/null || continue
	case $how in
	reload*) systemctl reload "${how#* }" ;;
	*) echo "${how#* } $(main_pid "${how#* }")" >>"$waiting" ;;
	esac
done

# What `disable` undid before, and an engine that runs has not read. It knows of a reload when it was told just now too.
still=
due=$(bounded 120 /usr/bin/traceloopctl engine status --restarts </dev/null) || echo "traceloop: cannot ask engines that run" >&2
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
	printf 'traceloop: first run: %s. Until then containers need our programs, which stay. Then try again.\n' "${still#; }" |
		printable >&2
	exit 1
fi
rm -f "$waiting"

if ! found=$(bounded 60 "$0" --running); then
	echo "traceloop: cannot tell in 60 s which containers run by traceloop-runtime. Try again." >&2
	exit 1
fi
running=$(printf '%s' "$found" | tr '\n' ' ' | printable)
if [ -n "$running" ]; then
	printf 'traceloop: these containers run by traceloop-runtime, and nothing could stop them without it: %s\n' "$running" >&2
	echo "traceloop: remove them (docker rm -f), and start them anew if need be, without it. Then try again." >&2
	exit 1
fi
