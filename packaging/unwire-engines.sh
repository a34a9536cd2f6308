#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Undoes what `traceloopctl engine enable` did, for all engines; packages run it before they are removed. An engine whose
# runtime would be gone is told at once: dockerd takes that on a reload, which stops no container. What else is to be
# restarted is said.
set -eu

for record in /etc/traceloop/engines/*.json; do
	[ -e "$record" ] || continue
	engine=${record##*/}
	engine=${engine%.json}
	if ! /usr/bin/traceloopctl engine disable --yes "$engine" </dev/null; then
		echo "traceloop: $engine still runs our programs. Undo that by hand, and remove $record; then try again." >&2
		exit 1
	fi
	if [ "$engine" = docker ] && systemctl is-active --quiet docker.service 2>/dev/null; then
		systemctl reload docker.service
	fi
done
