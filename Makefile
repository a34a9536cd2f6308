# SPDX-License-Identifier: Apache-2.0
# What people and CI run. Needs Debian 12 or later, root, make; `setup` fetches the rest.

BIN := .venv/bin
HOOK := hook/traceloop_hook/traceloop-hook.c hook/traceloop_hook/traceloop-add-hooks hook/traceloop_hook/traceloop-runtime \
	hook/compile.sh packaging/hatch_build.py
ADD_HOOKS := hook/traceloop_hook/traceloop-add-hooks

# bcc and systemd exist for the distribution's interpreter alone; gcc and libc6-dev: the hook is compiled, and so are the
# programs that tests record;
# systemd: they boot it; dbus: others than root reach it by that; procps: kill as a program.
PYTHON := /usr/bin/python3
PACKAGES := ca-certificates python3-bpfcc python3-click python3-grpcio python3-protobuf python3-systemd python3-venv \
	dbus gcc less libc6-dev mandoc man-db procps runc scdoc strace systemd

# Container engines, for their tests: 130 MB, which `setup` does not ask for.
ENGINE_PACKAGES := containerd crun docker.io podman

# What builds the packages, on Debian: packaging/debian/control, and the spec.
DEB_PACKAGES := build-essential debhelper dh-python pkgconf python3-click python3-grpcio python3-protobuf python3-pytest \
	scdoc systemd
RPM_PACKAGES := gcc libc6-dev rpm scdoc

# A root that came by `su` lacks these two.
export PATH := $(PATH):/usr/sbin:/sbin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHON

# What `check` runs, but for what takes seconds: tests of costs, and of many random calls.
CHECKED := tests/decode $(addprefix tests/project/test_,architecture.py decisions.py layers.py)
SLOW := *_costs.py *_printers_total.py

# What `fuzz` runs, each a file in tests/fuzz, for how long each; and where the first inputs of each are.
FUZZERS := decode archive hook_message config grpc_requests
FUZZ_SECONDS := 600
FUZZ_SEEDS_decode := tests/fuzz/corpus
FUZZ_SEEDS_archive := tests/fuzz/corpus
FUZZ_SEEDS_hook_message := tests/fuzz/corpus_hook_message
FUZZ_SEEDS_config := tests/fuzz/corpus_config

# What `lint` asks of the compiler besides.
C_WARNINGS := -Werror -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wformat=2 -Wvla

MANUAL := $(patsubst docs/man/%.scd,build/man/%,$(wildcard docs/man/*.scd)) build/man/traceloop.toml.5

.PHONY: help setup packages engine-packages demo check unit test test-engines lint bench crowd chaos soak fuzz \
	fuzz-grpc_requests golden run hook test-kernels tables settings proto clean man install uninstall deb rpm \
	test-packages test-bare

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 21

setup: $(BIN)/installed ## Install what is missing: Debian packages, and a virtual environment in .venv

packages:
	@packaging/install-packages.sh $(PACKAGES)

engine-packages:
	@packaging/install-packages.sh $(ENGINE_PACKAGES)

$(BIN)/installed: pyproject.toml $(HOOK) | packages
	test -x $(BIN)/pip || $(PYTHON) -m venv --system-site-packages .venv
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

demo: setup ## Play both demos: a lost result is recovered from a container that is gone
	PYTHONPATH=tests:tests/support $(BIN)/python -m lab.demo

check: lint ## Check style, types, the decoder, and who imports whom: some 10 seconds; before each commit
	$(BIN)/pytest -q -m 'not kernel and not runtime' $(SLOW:%=--ignore-glob='%') $(CHECKED)

unit: setup ## Run all tests that need no kernel to record with: some minutes
	$(BIN)/pytest -q -m 'not kernel and not runtime'

test: setup ## Run all tests
	$(BIN)/pytest

lint: setup ## Check style and types
	$(BIN)/ruff check . $(ADD_HOOKS)
	$(BIN)/ruff format --check . $(ADD_HOOKS)
	$(BIN)/mypy
	$(BIN)/mypy $(ADD_HOOKS)
	CFLAGS='$(C_WARNINGS) -fanalyzer -O2' hook/compile.sh build/lint/traceloop-hook

bench: setup ## Measure what recording costs, side by side
	$(BIN)/python bench/run.py

crowd: setup ## Measure a full node: 110 containers at once, 1,000 one after the other
	$(BIN)/python bench/run.py crowd

chaos: setup ## Do harm to the daemon under load, CHAOS_ROUNDS (50) times, by chance from CHAOS_SEED
	PYTHONPATH=tests:tests/support $(BIN)/python tests/chaos/run.py

soak: setup ## Load the daemon for SOAK_HOURS (4), and fail if memory, descriptors, rings or times grow
	PYTHONPATH=tests:tests/support:tests/chaos $(BIN)/python -m soak.run

fuzz: $(FUZZERS:%=fuzz-%) ## Feed broken input to each of FUZZERS (decode archive hook_message config grpc_requests) for FUZZ_SECONDS (600)

fuzz-%: build/fuzz/installed
	mkdir -p build/fuzz/found/$*
	PYTHONPATH=daemon:bpf:decode:tests:tests/support nice build/fuzz/bin/python tests/fuzz/$*.py -max_total_time=$(FUZZ_SECONDS) \
		-max_len=16384 -timeout=10 -print_final_stats=1 -artifact_prefix=build/fuzz/$*- \
		build/fuzz/found/$* $(FUZZ_SEEDS_$*)

fuzz-grpc_requests: setup # the real daemon's sockets, from outside
	PYTHONPATH=tests:tests/support nice $(BIN)/python tests/fuzz/grpc_requests.py $(FUZZ_SECONDS)

build/fuzz/installed: | packages
	$(PYTHON) -m venv build/fuzz
	build/fuzz/bin/pip install --quiet 'atheris==3.0.0'
	touch $@

run: setup ## Run the daemon in the foreground
	$(BIN)/traceloopd

test-kernels: setup ## Run tests on other kernels, in virtual machines
	tests/kernels/run.sh

test-engines: setup engine-packages ## Run tests with podman, docker and three versions of containerd
	tests/engines/fetch.sh
	TRACELOOP_REQUIRE_ENGINES=1 $(BIN)/pytest -m engine

golden: setup ## Record the snapshots of tests/golden anew, with their texts
	PYTHONPATH=tests:tests/support $(BIN)/python tests/golden/record.py

tables: setup ## Make the tables of system calls and flags again
	$(BIN)/python decode/generate_tables.py
	$(BIN)/python decode/generate_flags.py
	$(BIN)/python decode/generate_classes.py

settings: setup ## Write packaging/traceloop.toml again
	$(BIN)/python -m traceloop_daemon.settings.reference > packaging/traceloop.toml

# The generator must be no newer than the oldest runtime that is supported: a newer one's code demands its own.
proto: build/protoc/installed ## Make the code of proto/ again
	build/protoc/bin/python -m grpc_tools.protoc -Iproto --python_out=proto --pyi_out=proto --grpc_python_out=proto \
		proto/traceloop_proto/recorder.proto
	build/protoc/bin/python -m grpc_tools.protoc -Iproto --python_out=proto --pyi_out=proto \
		proto/traceloop_proto/nri.proto proto/traceloop_proto/cri.proto

build/protoc/installed: | packages
	$(PYTHON) -m venv build/protoc
	build/protoc/bin/pip install --quiet 'grpcio-tools==1.51.1' 'setuptools<70'
	touch $@

hook: build/hook/traceloop-hook ## Compile what engines run

build/hook/traceloop-hook: hook/traceloop_hook/traceloop-hook.c hook/compile.sh
	hook/compile.sh $@

man: $(MANUAL) ## Make the manual pages

# scdoc's date is the source's, so that what is built twice is the same.
build/man/%: docs/man/%.scd packaging/tidy-manual.awk
	@mkdir -p $(@D)
	SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(stat -c %Y $<)} scdoc <$< >$@.scdoc
	awk -f packaging/tidy-manual.awk $@.scdoc >$@.part
	mv $@.part $@
	rm $@.scdoc

build/man/traceloop.toml.5: build/man/traceloop.toml.5.scd packaging/tidy-manual.awk
	SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(stat -c %Y daemon/traceloop_daemon/settings/keys.py)} scdoc <$< >$@.scdoc
	awk -f packaging/tidy-manual.awk $@.scdoc >$@.part
	mv $@.part $@
	rm $@.scdoc

build/man/traceloop.toml.5.scd: daemon/traceloop_daemon/settings/keys.py packaging/settings_manual.py
	@mkdir -p $(@D)
	PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=bpf:decode:proto:daemon $(PYTHON) packaging/settings_manual.py >$@.part
	mv $@.part $@

# Takes scdoc and a C compiler; asks neither pip nor the network for anything.
install: $(MANUAL) build/hook/traceloop-hook ## Install below PREFIX (/usr/local); packagers give DESTDIR too
	packaging/install.sh install

uninstall: ## Remove what `install` with the same variables put there
	packaging/install.sh uninstall

deb: ## Build the Debian package in build/deb
	packaging/install-packages.sh $(DEB_PACKAGES)
	packaging/build-deb.sh

rpm: ## Build the RPM in build/rpm
	[ ! -e /etc/debian_version ] || packaging/install-packages.sh $(RPM_PACKAGES)
	packaging/build-rpm.sh

test-packages: setup ## Install, use, upgrade and purge the packages in clean roots
	tests/packages/run.sh

test-bare: setup ## Run README.md's first commands on a Debian where nothing is installed
	packaging/install-packages.sh debootstrap
	tests/bare/run.sh

clean: ## Remove all that was built or installed here
	rm -rf .venv build .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
