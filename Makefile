# What a developer does daily. Everything is installed into .venv, by the lock file, and nothing outside the checkout.
SHELL := /bin/sh
# The first Python that is new enough and really runs: a name on the PATH may be an empty promise.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	"$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
BIN := .venv/bin
UV := $(BIN)/uv
export UV_CACHE_DIR := $(CURDIR)/.cache/uv
export UV_PYTHON_DOWNLOADS := never
export PYTHONDONTWRITEBYTECODE ?=
RUN = $(BIN)/

.PHONY: help setup demo test check lint types contracts unit system test-system faults bench docs clean

help:  ## What can be made.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1	\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: .venv/.ready  ## The environment, from the lock file.

.venv/.ready: pyproject.toml uv.lock
	@test -n "$(PYTHON)" || { echo "qtasks needs Python 3.11 or newer, with venv, on the PATH."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(UV) || $(BIN)/pip --quiet --disable-pip-version-check --no-cache-dir install "$$(sed -n '/^name = "uv"$$/{n;s/version = "\(.*\)"/uv==\1/p;}' uv.lock)"
	@$(UV) sync --quiet --locked
	@touch $@

demo: setup  ## Run examples/bell.yaml on the embedded default.
	@QTASKS_HOME="$(CURDIR)/.qtasks" $(RUN)qtasks run examples/bell.yaml; status=$$?; \
	QTASKS_HOME="$(CURDIR)/.qtasks" $(RUN)qtasks down >/dev/null; exit $$status

test: check system  ## All tests, with servers of their own.

check: lint types contracts unit  ## The quick subset: under a minute.

lint: setup
	@$(RUN)ruff check --quiet .
	@$(RUN)ruff format --quiet --check .
	@$(RUN)python -m tools.reference --check
	@$(RUN)python -m tools.rendered --check

types: setup
	@$(RUN)mypy

docs: setup  ## The references and manifests that are generated; manifests where there is kubectl.
	@$(RUN)python -m tools.reference
	@$(RUN)python -m tools.rendered

bench: setup  ## Every benchmark, with its peer; writes docs/benchmarks.md.
	@$(RUN)python -m bench --write docs/benchmarks.md

contracts: setup
	@$(RUN)lint-imports --no-cache --no-logo

unit: setup
	@$(RUN)pytest -m "not system and not needs_packages and not long" -n 2

system: setup
	@$(RUN)pytest -m "system and not needs_packages and not long" -n 3 --dist loadfile --no-loadscope-reorder

# Sources: openssh-server, openssh-client. Alert rules: prometheus.
# Images: buildah, debootstrap, Docker Compose 2 (docs/images.md), and the network.
test-system: setup  ## What also needs root and Debian's packages; fails where they are missing.
	@$(RUN)pytest -m needs_packages

faults: setup  ## Long runs of killed processes and lost answers.
	@$(RUN)pytest -m long -s

clean:  ## Remove the environment and what was generated.
	rm -rf .venv .cache .qtasks
