# SPDX-License-Identifier: Apache-2.0
# The commands that people and CI run. They need Debian 12 or later, root and make; `setup` installs the rest.

BIN := .venv/bin
HOOK := hook/traceloop_hook/traceloop-hook.c hook/traceloop_hook/traceloop-add-hooks hook/traceloop_hook/traceloop-runtime \
	hook/compile.sh packaging/hatch_build.py
ADD_HOOKS := hook/traceloop_hook/traceloop-add-hooks

# bcc and systemd exist only for the distribution's interpreter. gcc and libc6-dev compile the hook, and the programs
# that tests record. Tests boot systemd, reach it through dbus as users other than root, and run procps' kill.
PYTHON := /usr/bin/python3
PACKAGES := ca-certificates python3-bpfcc python3-click python3-grpcio python3-lark python3-protobuf python3-systemd \
	python3-venv \
	dbus gcc jq less libc6-dev mandoc man-db procps runc scdoc strace systemd

# Container engines for their tests, 200 MB, rclone, and an sshd, which would listen on a developer's machine; not installed by
# `setup`.
ENGINE_PACKAGES := containerd crun docker.io openssh-server podman rclone

# What builds and runs a Kubernetes for `test-cluster`.
CLUSTER_PACKAGES := dpkg-dev iproute2 openssl rclone util-linux

# A browser for the tests of pages, 220 MB; not installed by `setup`.
BROWSER_PACKAGES := chromium-headless-shell

# Build dependencies of the packages, on Debian: packaging/debian/control, and the spec.
DEB_PACKAGES := build-essential debhelper dh-python pkgconf python3-click python3-grpcio python3-lark python3-protobuf \
	python3-pytest scdoc systemd
# What compiles the hook for another architecture
CROSS_PACKAGES := $(if $(DEB_HOST_ARCH),crossbuild-essential-$(DEB_HOST_ARCH))
RPM_PACKAGES := gcc libc6-dev rpm scdoc

# root's PATH lacks these two after a plain `su`.
export PATH := $(PATH):/usr/sbin:/sbin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Seconds: a test that hangs fails, and the others run.
export PYTEST_TIMEOUT := 600
export PYTHON

# The tests that do not record in the kernel, on all CPUs. The others share the kernel, and run one after the other.
UNIT := $(BIN)/pytest -q -n auto --dist loadfile -m 'not kernel and not runtime'

# The tests that `check` runs, except SLOW ones: tests of costs, and of many random calls.
CHECKED := tests/decode $(addprefix tests/project/test_,architecture.py decisions.py layers.py words.py)
SLOW := *_costs.py *_printers_total.py

# The fuzzers of `fuzz`, each a file in tests/fuzz; the time for each; and the directories of their first inputs.
FUZZERS := decode archive hook_message config grpc_requests
FUZZ_SECONDS := 600
FUZZ_SEEDS_decode := tests/fuzz/corpus
FUZZ_SEEDS_archive := tests/fuzz/corpus
FUZZ_SEEDS_hook_message := tests/fuzz/corpus_hook_message
FUZZ_SEEDS_config := tests/fuzz/corpus_config

# The C files whose format `lint` checks.
C_FORMATTED := $(wildcard bpf/traceloop_bpf/*.[ch] bench/*.c hook/traceloop_hook/*.c tests/*/*.c tests/strace/workloads/*.[ch])

# As at installation. An environment may forbid Python to keep what it compiles: half the time of `traceloopctl show`.
COMPILE = $(BIN)/python -m compileall -q bpf cli daemon decode explain proto ship
# Further warnings of the compiler in `lint`.
C_WARNINGS := -Werror -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wformat=2 -Wvla

MANUAL := $(patsubst docs/man/%.scd,build/man/%,$(wildcard docs/man/*.scd)) build/man/traceloop.toml.5

.PHONY: help setup packages engine-packages demo check unit test test-engines test-servers test-browser picture lint bench crowd chaos soak fuzz \
	fuzz-grpc_requests golden run hook test-arm64 test-kernels test-strace tables settings proto clean man install uninstall deb rpm \
	test-packages test-cluster test-bare

help: ## Show this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /  make \1\t/p' Makefile | expand -t 21

setup: $(BIN)/installed ## Install what is missing: Debian packages, and a virtual environment in .venv

packages:
	@packaging/install-packages.sh $(PACKAGES)

engine-packages:
	@packaging/install-packages.sh $(ENGINE_PACKAGES)

$(BIN)/installed: pyproject.toml $(HOOK) | packages
	test -x $(BIN)/pip || $(PYTHON) -m venv --system-site-packages .venv
	$(BIN)/pip install --quiet --editable '.[dev]'
	$(COMPILE)
	touch $@

demo: setup ## Play both demos: recover a lost result from a deleted container
	PYTHONPATH=tests:tests/support $(BIN)/python -m lab.demo

check: lint ## Check style, types, the decoder and imports (some 10 seconds); run it before each commit
	$(BIN)/pytest -q -m 'not kernel and not runtime' $(SLOW:%=--ignore-glob='%') $(CHECKED)

unit: setup ## Run all tests that do not record in the kernel: some minutes
	$(UNIT)

test: setup ## Run all tests
	$(UNIT) && failed=0 || failed=1; $(BIN)/pytest -m 'kernel or runtime' --durations=30 && exit $$failed

lint: setup ## Check style and types
	$(BIN)/ruff check . $(ADD_HOOKS)
	$(BIN)/ruff format --check . $(ADD_HOOKS)
	$(BIN)/mypy
	$(BIN)/mypy $(ADD_HOOKS)
	$(BIN)/clang-format --dry-run --Werror $(C_FORMATTED)
	CFLAGS='$(C_WARNINGS) -fanalyzer -O2' hook/compile.sh build/lint/traceloop-hook

bench: setup ## Measure what recording costs, side by side
	$(COMPILE)
	$(BIN)/python bench/run.py

crowd: setup ## Measure a full node: 110 containers at once, 1,000 in sequence
	$(BIN)/python bench/run.py crowd

chaos: setup ## Inflict CHAOS_ROUNDS (50) random faults, from CHAOS_SEED, on the daemon under load; CHAOS_FROM=birth or hook
	PYTHONPATH=tests:tests/support $(BIN)/python tests/chaos/run.py

soak: setup ## Load the daemon for SOAK_HOURS (4); fail if memory, descriptors, rings or times grow
	PYTHONPATH=tests:tests/support:tests/chaos $(BIN)/python -m soak.run

fuzz: $(FUZZERS:%=fuzz-%) ## Fuzz with each of FUZZERS (decode archive hook_message config grpc_requests) for FUZZ_SECONDS (600)

fuzz-%: build/fuzz/installed
	mkdir -p build/fuzz/found/$*
	PYTHONPATH=daemon:bpf:decode:tests:tests/support nice build/fuzz/bin/python tests/fuzz/$*.py -max_total_time=$(FUZZ_SECONDS) \
		-max_len=16384 -timeout=10 -print_final_stats=1 -artifact_prefix=build/fuzz/$*- \
		build/fuzz/found/$* $(FUZZ_SEEDS_$*)

fuzz-grpc_requests: setup # sends requests to the sockets of a real daemon
	PYTHONPATH=tests:tests/support nice $(BIN)/python tests/fuzz/grpc_requests.py $(FUZZ_SECONDS)

build/fuzz/installed: | packages
	$(PYTHON) -m venv build/fuzz
	build/fuzz/bin/pip install --quiet 'atheris==3.0.0'
	touch $@

run: setup ## Run the daemon in the foreground
	$(BIN)/traceloopd

test-kernels: setup ## Run tests on other kernels, in virtual machines
	tests/kernels/run.sh

test-arm64: ## Play both demos on arm64, in a virtual machine
	tests/arm64/run.sh

test-strace: setup ## Run strace's own tests with the recorder in strace's place
	PYTHONPATH=tests:tests/support $(BIN)/python -m strace.suite

test-servers: setup ## Load redis, nginx, postgres and a service for SERVERS_SECONDS (600) each; all of their starts must be told
	packaging/install-packages.sh redis-tools wrk
	tests/servers/fetch.sh
	PYTHONPATH=tests:tests/support $(BIN)/python -m servers.run

test-engines: setup engine-packages ## Run tests with podman, docker and three versions of containerd
	tests/engines/fetch.sh
	TRACELOOP_REQUIRE_ENGINES=1 $(BIN)/pytest -m engine

test-browser: setup ## Run tests of the page of `export --format html` in Chromium
	packaging/install-packages.sh $(BROWSER_PACKAGES)
	TRACELOOP_REQUIRE_BROWSER=1 $(BIN)/pytest -m browser

picture: setup ## Make docs/picture.png again: a real trace in Chromium
	packaging/install-packages.sh $(BROWSER_PACKAGES)
	PYTHONPATH=tests:tests/support $(BIN)/python -m lab.picture

golden: setup ## Record the snapshots of tests/golden again, and write their texts
	PYTHONPATH=tests:tests/support $(BIN)/python tests/golden/record.py

tables: setup ## Generate the tables of system calls and flags
	$(BIN)/python decode/generate_tables.py
	$(BIN)/python decode/generate_flags.py
	$(BIN)/python decode/generate_ioctls.py
	$(BIN)/python decode/generate_structs.py
	$(BIN)/python decode/generate_classes.py
	$(BIN)/python decode/generate_selected.py
	$(BIN)/python decode/generate_families.py

settings: setup ## Generate packaging/traceloop.toml
	$(BIN)/python -m traceloop_daemon.settings.reference > packaging/traceloop.toml

# The generator must not be newer than the oldest supported runtime: generated code needs a runtime at least as new as
# its generator.
proto: build/protoc/installed ## Generate the code of proto/
	build/protoc/bin/python -m grpc_tools.protoc -Iproto --python_out=proto --pyi_out=proto --grpc_python_out=proto \
		proto/traceloop_proto/traceloop.proto
	build/protoc/bin/python -m grpc_tools.protoc -Iproto --python_out=proto --pyi_out=proto \
		proto/traceloop_proto/nri.proto proto/traceloop_proto/cri.proto proto/traceloop_proto/perfetto.proto \
		proto/traceloop_proto/reflection.proto
	PYTHONPATH=proto:decode $(PYTHON) tests/support/proto_surface.py

build/protoc/installed: | packages
	$(PYTHON) -m venv build/protoc
	build/protoc/bin/pip install --quiet 'grpcio-tools==1.51.1' 'setuptools<70'
	touch $@

hook: build/hook/traceloop-hook ## Compile the hook

build/hook/traceloop-hook: hook/traceloop_hook/traceloop-hook.c hook/compile.sh
	hook/compile.sh $@

man: $(MANUAL) ## Build the manual pages

# The page's date is the source's, so that builds are reproducible.
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

# Needs scdoc and a C compiler, but neither pip nor the network.
install: $(MANUAL) build/hook/traceloop-hook ## Install below PREFIX (/usr/local); packagers also set DESTDIR
	packaging/install.sh install

uninstall: ## Remove the files that `install` with the same variables installed
	packaging/install.sh uninstall

deb: ## Build the Debian package in build/deb; with DEB_HOST_ARCH=arm64 for that architecture
	packaging/install-packages.sh $(DEB_PACKAGES) $(CROSS_PACKAGES)
	packaging/build-deb.sh

rpm: ## Build the RPM in build/rpm
	[ ! -e /etc/debian_version ] || packaging/install-packages.sh $(RPM_PACKAGES)
	packaging/build-rpm.sh

test-packages: setup ## Install, use, upgrade and purge the packages in clean roots
	tests/packages/run.sh

test-cluster: setup ## Play the demos, an update and a node's death on a Kubernetes of two nodes (5.5 minutes); builds it first (20)
	packaging/install-packages.sh $(CLUSTER_PACKAGES)
	tests/cluster/fetch.sh
	tests/cluster/cluster.sh down
	status=0; for way in packaged bare; do \
		tests/cluster/cluster.sh up $$way && $(BIN)/python tests/cluster/play.py $$way || status=1; tests/cluster/cluster.sh down; \
	done; exit $$status

test-bare: setup ## Run README.md's first commands on a Debian where nothing is installed
	packaging/install-packages.sh debootstrap
	tests/bare/run.sh

clean: ## Remove all built files and virtual environments
	rm -rf .venv build .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
