# Two commands matter: `make demo` and `make test`. Neither needs anything but Python 3.11 or newer.
# Everything is installed into .venv from hash-pinned lists; uv does it where there is one, pip otherwise.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

UV := $(shell command -v uv 2>/dev/null)
NEEDED := $(if $(UV),sys,sys, venv, ensurepip)
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
    if $$p -c 'import $(NEEDED); sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then command -v $$p; break; fi; done)
PY := .venv/bin/python
SOURCES := $(shell find feeds strategies bot -name '*.py')
KERNELS := $(shell find strategies/factors -name '*.py')
SYSTEM := mosquitto chromium strace
ARGS ?=

ifdef UV
INSTALL = $(UV) pip install --quiet --python $(PY) --compile-bytecode
else
INSTALL = $(PY) -m pip install --quiet --disable-pip-version-check --compile
endif

.PHONY: help install demo test test-system lint format docs bench soak evidence lock clean

help:  ## what can be made
	@grep -E '^[a-z-]+:.*##' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:.*## /\t/' | expand -t 14

install: .venv/.warm  ## .venv with what running needs, byte code and factor kernels compiled

demo: .venv/.warm  ## paper trading on a bundled synthetic market, offline: a minute to the first fill
	@.venv/bin/sluice demo $(ARGS)

test: .venv/.dev .venv/.warm  ## every test, on all cores
	@$(PY) -m pytest -n auto --dist worksteal $(ARGS)

test-system:  ## system programs that some tests drive, through apt where apt and root are there
	@missing=(); for p in $(SYSTEM); do command -v $$p >/dev/null || missing+=($$p); done; \
	if [ $${#missing[@]} -eq 0 ]; then exit 0; fi; \
	if ! command -v apt-get >/dev/null || [ "$$(id -u)" != 0 ]; then \
	    echo "not installed (needs apt and root): $${missing[*]}"; exit 0; fi; \
	echo "installing $${missing[*]}"; export DEBIAN_FRONTEND=noninteractive; \
	log=$$(mktemp); trap 'rm -f "$$log"' EXIT; \
	{ apt-get update -qq && apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=120 "$${missing[@]}"; } \
	    </dev/null >"$$log" 2>&1 || { tail -n 20 "$$log"; echo "not installed: the tests that drive them will say so"; }

lint: .venv/.dev  ## ruff and mypy --strict
	@$(PY) -m ruff check --quiet .
	@$(PY) -m ruff format --check --quiet .
	@$(PY) -m mypy

format: .venv/.dev  ## ruff's fixes and layout
	@$(PY) -m ruff check --fix --quiet .
	@$(PY) -m ruff format --quiet .

docs: .venv/.dev  ## the generated pages: config.toml, docs/config.md, events.md, commands.md
	@$(PY) -m docs.make

bench: .venv/.dev .venv/.warm  ## bars a second of a replay, and the factor machine beside pandas
	@$(PY) -m bench.replay $(ARGS)
	@$(PY) -m bench.factors

soak: .venv/.dev .venv/.warm  ## the demo for ten minutes at high speed, every decision again; 200 random strategies, cut anywhere
	@$(PY) -m bench.soak $(ARGS)
	@SLUICE_FUZZ_STRATEGIES=200 $(PY) -m pytest -q -n auto tests/e2e/test_wild.py

evidence: .venv/.dev .venv/.warm  ## measure, and write the table of README.md
	@$(PY) -m bench.evidence $(ARGS)

# The lists carry names, versions and hashes, and no address: where packages come from is the reader's setting.
LOCK = uv pip compile pyproject.toml --group build --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-annotate --no-header --quiet
lock:  ## resolve again: requirements.txt and requirements-dev.txt (needs uv)
	$(LOCK) --all-extras -o requirements-dev.txt
	$(LOCK) -c requirements-dev.txt -o requirements.txt

clean:  ## everything that was made, but not what the bot wrote (.sluice)
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PY):
	@if [ -z "$(PYTHON)" ]; then \
	    echo "No Python 3.11 or newer$(if $(UV),, with venv) was found. Install one (Debian: python3-venv), or: make PYTHON=/path/to/python3"; \
	    exit 1; fi
	@echo "creating .venv with $(PYTHON)"
	@$(if $(UV),$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv,$(PYTHON) -m venv .venv)

# The project itself is linked, not copied; its build needs only what the lock brought.
.venv/.run: requirements.txt pyproject.toml | $(PY)
	@echo "installing what running needs$(if $(UV), with uv)"
	@$(INSTALL) --require-hashes -r requirements.txt
	@PYTHONWARNINGS=ignore $(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: requirements-dev.txt .venv/.run
	@echo "installing what testing needs$(if $(UV), with uv)"
	@$(INSTALL) --require-hashes -r requirements-dev.txt
	@touch $@

.venv/.code: .venv/.run $(SOURCES)
	@$(PY) -m compileall -q feeds strategies bot
	@touch $@

.venv/.warm: .venv/.code $(KERNELS)
	@if [ ! -e $@ ] || [ -n "$(filter $(KERNELS),$?)" ]; then \
	    echo "compiling the factor kernels to machine code, once for this version and processor"; SECONDS=0; parts=(); \
	    shares=$$($(PY) -c 'import os; print(min(4, os.cpu_count() or 1))'); \
	    for part in $$(seq 0 $$((shares - 1))); do \
	        $(PY) -c "import strategies.factors as f; f.warm($$part, $$shares)" & parts+=($$!); done; \
	    for part in "$${parts[@]}"; do wait "$$part"; done; echo "the kernels are ready after $$SECONDS s, $$shares processes"; fi
	@touch $@
