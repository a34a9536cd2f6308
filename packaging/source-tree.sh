#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Copies the project's files, without built and installed ones: packaging/source-tree.sh DIRECTORY
set -eu
cd "$(dirname "$0")/.."
rm -rf "$1"
mkdir -p "$1"
tar --exclude-vcs --exclude=./build --exclude=./.venv --exclude='.*_cache' --exclude=.hypothesis --exclude=__pycache__ \
	--exclude='*.egg-info' -c . | tar -x -C "$1"
