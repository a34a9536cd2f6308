#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compiles the hook: hook/compile.sh OUTPUT. The one place that says how; make, the packages and the wheel run it.
#
# Static, so that it runs whatever library of the node is missing or half replaced. CC, CPPFLAGS, CFLAGS and LDFLAGS are
# the packager's; warnings are errors here, but not for compilers that we have not seen.
set -eu
cd "$(dirname "$0")/.."

mkdir -p "$(dirname "$1")"
# shellcheck disable=SC2086 # lists
${CC:-cc} -std=gnu11 -Os -fPIE -Wall -Wextra ${CPPFLAGS--D_FORTIFY_SOURCE=2} ${CFLAGS--fstack-protector-strong} \
	hook/traceloop_hook/traceloop-hook.c -o "$1.part" ${LDFLAGS--Wl,-z,relro,-z,now} -static-pie
mv "$1.part" "$1"
