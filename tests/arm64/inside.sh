#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs a command in the virtual machine with the project's programs at .venv/bin, where the host has its own: they are
# this machine's interpreter with the project's directories.
set -eu
echo arm64 >/proc/sys/kernel/hostname
mount -t tmpfs none .venv
/usr/bin/python3 -m venv --system-site-packages --without-pip --symlinks .venv
site=$(echo .venv/lib/python3*/site-packages)
printf "$PWD/%s\n" hook bpf decode proto daemon cli ship explain >"$site/traceloop.pth"
sed -n '/^\[project.scripts\]/,/^$/s/^\([a-z-]*\) = "\(.*\):\(.*\)"/\1 \2 \3/p' pyproject.toml |
	while read -r name module function; do
		printf '#!%s\nimport sys\nfrom %s import %s\nsys.exit(%s())\n' "$PWD/.venv/bin/python3" "$module" "$function" \
			"$function" >".venv/bin/$name"
		chmod +x ".venv/bin/$name"
	done
hook/compile.sh .venv/bin/traceloop-hook
export TRACELOOP_REQUIRE_KERNEL=1 TRACELOOP_TEST_PATIENCE=20 PYTHONPATH=tests:tests/support
exec "$@"
