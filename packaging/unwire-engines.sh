#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Undoes what `traceloopctl engine enable` and `disable` did, for all engines; packages run it before they are removed.
# A running engine still uses the configuration that it loaded, and would fail containers after our programs are
# removed. An engine that can reload is reloaded, which stops no container. An engine that needs a restart must be
# restarted by the administrator: until then the package cannot be removed, however often someone tries. It also stays
# while a container runs that our runtime started: without the runtime, docker reports such a container as stopped and
# removed, but its processes live on.
set -eu

# Lists the units that must be restarted, with their main processes at that time. A boot empties /run, and restarts
# them.
waiting=/run/traceloop-unwired

main_pid() {
	systemctl show --property=MainPID --value "$1"
}

# Makes text of others safe to print, and limits its length.
printable() {
	head -c 65536 | tr -c '[:print:]\n' '?'
}

# Succeeds if an engine's runtime is ours, or a script by dockerd that runs ours.
is_ours() {
	case $1 in
	*/traceloop-runtime | */traceloop-runc | */traceloop-crun) return 0 ;;
	/*) is_roots_file "$1" && head -c 65536 "$1" | grep -q traceloop-runtime ;;
	*) return 1 ;;
	esac
}

# Succeeds for a regular file of root's: a pipe or a device would block its reader, and other users' files may lie.
is_roots_file() {
	[ -f "$1" ] && [ "$(stat -L -c %u "$1" 2>/dev/null)" = 0 ]
}

# Succeeds if all user ids of a process are root's, if it runs a program of this name that belongs to root and is not
# set-user-ID, and if it is in our pid namespace, and in our mount namespace or an engine's: a container's root is not.
# Checks that fork come last, since users may have started very many processes.
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

# Prints the argument after one of these options.
word_after() {
	printf '%s\n' "$words" | grep -A1 -xe "$1" -e "$2" | tail -n 1
}

# Sets `views` to the mount namespaces of this process and of engines: a unit may have one of its own, which its children
# share.
look_around() {
	views=" $(readlink /proc/self/ns/mnt || :) " # none in a root without /proc
	for unit in containerd crio docker podman; do
		pid=$(main_pid "$unit.service" 2>/dev/null) || continue
		views="$views$(readlink "/proc/$pid/ns/mnt" || :) "
	done
}

# Prints the name of an engine that runs, and may have read a configuration that names our programs.
engines_that_run() {
	look_around
	for process in /proc/[0-9]*; do
		for engine in dockerd containerd; do
			if is_keeper "$process" "$engine"; then
				echo "$engine"
				return
			fi
		done
	done 2>/dev/null
}

# Prints the ids of running containers that our runtime started, as their supervisors tell it: containerd's shim, whose
# working directory is the bundle, or podman's conmon.
ours_that_run() {
	look_around
	for process in /proc/[0-9]*; do
		if is_keeper "$process" containerd-shim; then
			is_roots_file "$process/cwd/options.json" || continue
			runtime=$(head -c 65536 "$process/cwd/options.json" | sed -n 's/.*"binary_name":"\([^"]*\)".*/\1/p')
			is_ours "$runtime" && basename "$(readlink "$process/cwd")"
		elif is_keeper "$process" conmon; then
			words=$(head -c 65536 "$process/cmdline" | tr '\0' '\n')
			is_ours "$(word_after -r --runtime)" && word_after -c --cid
		fi || true # the process has ended meanwhile
	done 2>/dev/null
}

# Prints the ids of docker's containers, running or not, that were made with the runtime `traceloop`.
made_with_ours() {
	root=
	! is_roots_file /etc/docker/daemon.json ||
		root=$(head -c 65536 /etc/docker/daemon.json | sed -n 's/.*"data-root": *"\([^"]*\)".*/\1/p')
	for file in "${root:-/var/lib/docker}"/containers/*/hostconfig.json; do
		is_roots_file "$file" && grep -q '"Runtime":"traceloop"' "$file" || continue
		file=${file%/*}
		echo "${file##*/}"
	done
}

case ${1-} in
--running) # this and the next ones for this script itself, which bounds the time of these parts
	ours_that_run
	exit
	;;
--engines)
	engines_that_run
	exit
	;;
--made)
	made_with_ours
	exit
	;;
esac

# Limits the time of a command: no process or engine may block the removal.
bounded() {
	timeout --kill-after=5 "$@"
}

made=$(bounded 60 "$0" --made | tr '\n' ' ' | printable)
[ -z "$made" ] ||
	echo "traceloop: these containers were made with docker's runtime traceloop and do not start again; recreate them with another: ${made% }" >&2

for record in /etc/traceloop/engines/*.json; do
	[ -e "$record" ] || continue
	engine=${record##*/}
	engine=${engine%.json}
	engine=${engine%.off} # the record of a mask, which `disable` made
	if ! said=$(bounded 120 /usr/bin/traceloopctl engine disable --uninstall --yes "$engine" </dev/null); then
		echo "traceloop: $engine still uses our programs. Undo that by hand, remove $record, then try again." >&2
		exit 1
	fi
	printf '%s\n' "$said"
	how=$(printf '%s\n' "$said" | sed -n 's/^now run: systemctl \(reload\|restart\) \([a-z0-9.@-]*\).*/\1 \2/p')
	[ -n "$how" ] && systemctl is-active --quiet "${how#* }" 2>/dev/null || continue
	case $how in
	reload*) bounded 120 systemctl reload "${how#* }" ;;
	*) echo "${how#* } $(main_pid "${how#* }")" >>"$waiting" ;;
	esac
done

# An administrator may have named our runtime without `engine enable`, which alone leaves a record.
for file in /etc/docker/daemon.json /etc/containerd/config.toml /etc/containerd/conf.d/*.toml \
	/etc/crio/crio.conf /etc/crio/crio.conf.d/* /etc/containers/containers.conf /etc/containers/containers.conf.d/*.conf; do
	is_roots_file "$file" || continue
	grep -v '^[[:blank:]]*#' "$file" | grep -qF /usr/libexec/oci/hooks.d/traceloop-runtime || continue
	echo "traceloop: $file names traceloop-runtime, without which containers fail to start." \
		"Remove it there, let the engine read that, then try again." >&2
	exit 1
done

# Commands that are still due: running engines have not yet read what `disable` undid, now or in an earlier run. Where
# nobody can tell, an engine that runs counts as one that has not.
still=
if ! due=$(bounded 120 /usr/bin/traceloopctl engine status --restarts </dev/null); then
	engine=$(bounded 60 "$0" --engines) || engine='an engine'
	if [ -n "$engine" ]; then
		echo "traceloop: cannot find out whether $engine still uses our programs. Restart it, or stop it if traceloopctl itself fails. Then try again." >&2
		exit 1
	fi
fi
# shellcheck disable=SC2086 # words
while read -r command; do
	case $command in
	"systemctl reload "*) bounded 120 $command ;;
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
	printf 'traceloop: first run: %s. Until then containers need our programs, so the package stays. Then try again.\n' "${still#; }" |
		printable >&2
	exit 1
fi
rm -f "$waiting"

if ! found=$(bounded 60 "$0" --running); then
	echo "traceloop: cannot find out within 60 s which containers traceloop-runtime started. Try again." >&2
	exit 1
fi
running=$(printf '%s' "$found" | tr '\n' ' ' | printable)
if [ -n "$running" ]; then
	printf 'traceloop: traceloop-runtime started these containers, and they cannot be stopped without it: %s\n' "$running" >&2
	echo "traceloop: remove them (docker rm -f), and recreate those that you need with another runtime. Then try again." >&2
	exit 1
fi
