#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compiles the hook: hook/compile.sh OUTPUT. make, the packages and the wheel all use this script.
#
# The hook is static, so that it runs even if a library of the node is missing or half replaced. CC, CPPFLAGS, CFLAGS
# and LDFLAGS are for packagers. Only our own checks turn warnings into errors, since other compilers warn differently.
set -eu
cd "$(dirname "$0")/.."

mkdir -p "$(dirname "$1")"
# shellcheck disable=SC2086 # lists
${CC:-cc} -std=gnu11 -Os -fPIE -Wall -Wextra ${CPPFLAGS--D_FORTIFY_SOURCE=2} ${CFLAGS--fstack-protector-strong} \
	hook/traceloop_hook/traceloop-hook.c -o "$1.part" ${LDFLAGS--Wl,-z,relro,-z,now} -static-pie
mv "$1.part" "$1"
