# SPDX-License-Identifier: Apache-2.0
# Every target works from an empty clone: .ci/setup brings what is missing and asks nothing.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

BIN := .venv/bin
# The demo and the tests of boot control make mounts and root images.
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo -E)
KEEP ?=

.PHONY: help
help: ## show what can be made
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 22

.PHONY: setup
setup: ## bring Debian packages and .venv (every other target brings what it needs)
	@.ci/setup

.PHONY: demo
demo: setup ## one update end to end on real images; KEEP=1 leaves the server and twenty hosts up
	@$(AS_ROOT) $(BIN)/python -m tests.demo $(if $(KEEP),--keep) $(DEMO_OPTIONS)

.PHONY: demo-stop
demo-stop: setup ## stop what `make demo KEEP=1` left up
	@$(AS_ROOT) $(BIN)/python -m tests.demo --stop

.PHONY: test
test: export PUAD_SETUP_BROWSER := 1
test: export PUAD_SETUP_DATABASE := 1
test: export PUAD_SETUP_PACKAGING := 1
test: export PUAD_SETUP_LOADERS := 1
test: lint types imports pytest coverage ## everything that can be checked without a VM
	@tail -n 3 build/test/pytest.log

.PHONY: lint
lint: setup ## format and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

.PHONY: types
types: setup ## mypy, strict, of the packages and the tests
	$(BIN)/mypy

.PHONY: imports
imports: setup ## who may import whom
	$(BIN)/lint-imports

.PHONY: setup-tests
setup-tests:
	@PUAD_SETUP_BROWSER=1 PUAD_SETUP_DATABASE=1 PUAD_SETUP_PACKAGING=1 PUAD_SETUP_LOADERS=1 .ci/setup

.PHONY: pytest
# Long tests wait half of their time: four processes keep two cores at work.
pytest: setup-tests ## unit, integration and browser tests, in four processes
	@$(AS_ROOT) rm -rf build/test .coverage .coverage.*
	@mkdir -p build/test
	$(AS_ROOT) .ci/scratch $(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder \
	  --cov --cov-report= --durations 20 $(PYTEST_OPTIONS) 2>&1 | tee build/test/pytest.log

.PHONY: coverage
coverage: ## the pure core 100 %, the whole node at least 90 %, branches counted
	@$(AS_ROOT) rm -f .coverage.*  # what a killed process has left half written
	$(BIN)/coverage report --include='puad/core/*' --fail-under=100 --show-missing --skip-covered
	$(BIN)/coverage report --fail-under=90 --show-missing --skip-covered

# Each oracle gets so many random schedules; `make test` gives them fewer.
SCHEDULES ?= 100000
WINDOW_TESTS := $(addprefix tests/unit/orchestrator_stub/schedules/test_,windows_by_brute_force.py \
  windows_by_cronsim.py local_repeat_by_zoneinfo.py clock_changes.py)

.PHONY: test-windows
test-windows: setup ## windows against a calendar, cronsim and zoneinfo: SCHEDULES=random ones for each
	@mkdir -p build/test-windows
	PUAD_SCHEDULES=$(SCHEDULES) $(BIN)/python -m pytest -n 2 --dist load --maxschedchunk 1 \
	  -p no:cacheprovider --timeout 7200 --durations 0 $(PYTEST_OPTIONS) \
	  $(WINDOW_TESTS) 2>&1 | tee build/test-windows/pytest.log

.PHONY: setup-fuzz
setup-fuzz:
	@PUAD_SETUP_FUZZ=1 .ci/setup

RUNS ?= 1000000

.PHONY: fuzz
fuzz: setup-fuzz ## parsers of index, manifest, GPT, FAT, UKI under atheris: RUNS=inputs TARGETS=some
	$(BIN)/python -m tests.fuzz $(TARGETS) --runs $(RUNS)

.PHONY: setup-vm
setup-vm:
	@PUAD_SETUP_VM=1 PUAD_SETUP_PACKAGING=1 .ci/setup

.PHONY: demo-vm
demo-vm: setup-vm ## the reference node in a virtual machine: an update and a rollback
	@$(AS_ROOT) $(BIN)/python -m tests.vm.demo $(DEMO_OPTIONS)

# Scenarios run two at a time; each waits for conditions with generous limits.
# VM_UNTIL=TIME: begin none that may last beyond that time (as `date +%s` has it), and name it.
VM_PYTEST := -n 2 --dist load --maxschedchunk 1 -p no:cacheprovider --timeout 3600 tests/vm/image tests/vm/scenarios

.PHONY: test-vm
test-vm: setup-vm ## every scenario once, in virtual machines, and power cuts; at most 35 minutes
	@$(AS_ROOT) rm -rf build/test-vm && mkdir -p build/test-vm
	$(AS_ROOT) $(BIN)/python -m pytest $(VM_PYTEST) $(PYTEST_OPTIONS) \
	  $(if $(VM_UNTIL),--vm-until $(VM_UNTIL) --vm-turn "$$(git rev-parse HEAD)") \
	  2>&1 | tee build/test-vm/pytest.log

.PHONY: test-vm-full
test-vm-full: setup-vm ## three tries everywhere, each boot loader; GO_ON=1: what has not passed yet
	@$(AS_ROOT) rm -rf build/test-vm && mkdir -p build/test-vm build/test-vm-full
	@cd build/test-vm-full && touch played.jsonl && \
	  if [ -n "$(GO_ON)" ]; then cat played.jsonl >>before.jsonl; else : >before.jsonl; fi && \
	  : >played.jsonl
	$(AS_ROOT) $(BIN)/python -m pytest $(VM_PYTEST) --vm-full --vm-report docs/vm-report.md \
	  --vm-note build/test-vm-full/played.jsonl --vm-go-on build/test-vm-full/before.jsonl \
	  $(PYTEST_OPTIONS) 2>&1 | tee build/test-vm/pytest.log

N ?= 2000
SEED ?= 1
BOOT ?= 4

.PHONY: test-powercut
test-powercut: setup-vm ## power cuts: N=states SEED=seed BOOT=booted ones STATE=one:alone:again
	@$(AS_ROOT) $(BIN)/python -m tests.powercut --states $(N) --seed $(SEED) --boot $(BOOT) \
	  $(if $(STATE),--state $(STATE)) $(POWERCUT_OPTIONS)

.PHONY: bench-vm
bench-vm: setup-vm ## what puad costs a node: memory, wake-ups, exposure, seconds of an update
	@$(AS_ROOT) $(BIN)/python -m tests.vm.bench

.PHONY: bench-smoke
bench-smoke: setup ## install speed against zstd | dd, memory, lines of code
	@$(AS_ROOT) $(BIN)/python -m tests.bench.smoke

.PHONY: setup-bench
setup-bench:
	@PUAD_SETUP_BENCH=1 .ci/setup

.PHONY: bench-install
bench-install: setup-bench ## installs against dd, rauc, swupdate, casync: speed, memory, resume, latency
	@$(AS_ROOT) $(BIN)/python -m tests.bench.install $(BENCH_OPTIONS)

.PHONY: bench-delta
bench-delta: setup-bench ## bytes of an update on real pairs of images, against xdelta3 and others
	@$(AS_ROOT) $(BIN)/python -m tests.bench.delta $(BENCH_OPTIONS)

.PHONY: setup-database
setup-database:
	@PUAD_SETUP_DATABASE=1 .ci/setup

.PHONY: bench-orchestrator
bench-orchestrator: setup-database ## the orchestrator under 10,000 hosts: polls, recovery, page, rollouts
	@$(AS_ROOT) $(BIN)/python -m tests.bench.orchestrator $(BENCH_OPTIONS)

.PHONY: setup-build
setup-build:
	@PUAD_SETUP_ONLY_BUILD=1 .ci/setup

.PHONY: deb
deb: setup-build ## the Debian packages for nodes and server, in dist/
	@packaging/deb/build

.PHONY: rpm
rpm: setup-build ## the same packages for Fedora and its kin, in dist/
	@packaging/rpm/build

.PHONY: setup-browser
setup-browser:
	@PUAD_SETUP_BROWSER=1 .ci/setup

.PHONY: screenshots
screenshots: setup-browser ## the pictures of the web pages in docs/screenshots, made anew
	$(BIN)/python -m tests.integration.web.screenshots

.PHONY: clean
clean: ## forget everything that was made, caches and .venv too
	$(AS_ROOT) rm -rf --one-file-system build .venv .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache \
	  .hypothesis .import_linter_cache dist *.egg-info
	find . -name __pycache__ -type d -prune -exec $(AS_ROOT) rm -rf {} +
