# Everything a newcomer types. `make help` lists it. A fresh Debian needs python3, pip and make, nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Debian's python3 brings venv without ensurepip, so the machine's pip installs into the environment from outside.
PIP := $(PYTHON) -m pip --python $(BIN)/python --quiet --disable-pip-version-check --no-input
COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --no-emit-find-links

.DEFAULT_GOAL := help
.PHONY: help demo install test test-long check format bench burst drain bulk soak fuzz lock docs widget wheel clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

demo: $(VENV)/.runtime ## the whole gateway with a simulated SMSC; ONCE=1 prints the transcript and ends
	@$(BIN)/python -m demo $(if $(filter-out 0,$(ONCE)),--once)

install: $(VENV)/.installed ## everything for work on the gateway, and the command .venv/bin/tracuu

# Tests of whole gateways mostly wait for one: twice as many at once as this machine has processors. A file stays together:
# its tests may share a gateway, and look at what those before them left.
TEST := $(BIN)/python -m pytest -m "not long"
SIDE_BY_SIDE ?= $(shell expr 2 '*' $$(nproc))
test: $(VENV)/.installed ## all tests, SIDE_BY_SIDE=4 at once (default: two a processor); ARGS="-k name" for some
	@$(TEST) $(or $(ARGS),-n $(SIDE_BY_SIDE) --dist loadfile)

test-long: $(VENV)/.installed ## the full counts: kill -9 under load, garbage, strangers
	@$(BIN)/python -m pytest -m long $(ARGS)

check: $(VENV)/.installed ## style, types, layers, documents
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -q tests/unit/test_docs.py tests/unit/test_layers.py tests/unit/test_packaging.py

format: $(VENV)/.installed ## let ruff lay the code out
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.installed ## replies a second on both stores; a fan-out and the claim loop on PostgreSQL; look-ups over HTTP; Telegram; the widget; every page of the console
	@$(BIN)/python -m bench $(ARGS)
	@$(BIN)/python -m bench.postgres
	@$(BIN)/python -m bench.web
	@$(BIN)/python -m bench.telegram
	@$(BIN)/python -m bench.widget
	@$(BIN)/python -m bench.console

burst: $(VENV)/.installed ## 500,000 notices wait, 30 s leave at 200 a second, on both stores, and people ask
	@$(BIN)/python -m bench.burst $(ARGS)

drain: $(VENV)/.installed ## 500,000 notices leave at 5,000 a second, on both stores, and people ask
	@$(BIN)/python -m bench.burst --seconds 0 --rate 5000 --window 100 $(ARGS)

bulk: $(VENV)/.installed ## 20,000 notices and broadcasts leave at 200 a second, on both stores: what that costs who asks
	@$(BIN)/python -m bench.bulk $(ARGS)

soak: $(VENV)/.installed ## ten minutes of two operators that misbehave and a gateway that is killed: in = out, once
	@$(BIN)/python -m bench.soak $(ARGS)

fuzz: $(VENV)/.installed ## garbage at full counts: 1,000,000 mutated PDUs, random texts; new examples for every property
	@$(BIN)/python -m pytest -m long -k "garbage or mutated or random" $(ARGS)
	@$(BIN)/python -m pytest -n 2 -m hypothesis --hypothesis-profile=search tests/unit tests/contract $(ARGS)

docs: $(VENV)/.installed ## print the pages of docs/ that come from the code
	@$(BIN)/python -m gateway docs

widget: $(VENV)/.installed ## build the widget for agencies' pages from channels/web/widget/src, and note its hashes
	@$(BIN)/python -m tests.node channels/web/widget esbuild build.mjs

wheel: $(VENV)/.installed ## build dist/*.whl
	@$(BIN)/hatchling build --target wheel

lock: $(VENV)/.installed ## pin what pyproject.toml asks for
	@$(COMPILE) pyproject.toml --extra fast --extra postgresql --extra mysql --output-file requirements.lock
	@$(COMPILE) pyproject.toml --extra fast --extra postgresql --extra mysql --extra demo \
	  --constraint requirements.lock --output-file requirements-demo.lock
	@$(COMPILE) pyproject.toml --extra fast --extra postgresql --extra mysql --extra demo --extra sqlserver --extra oracle --extra pdf --group test --group check \
	  --constraint requirements-demo.lock --output-file requirements-dev.lock

clean: ## remove what was made: the environment, caches, builds (not var/, which holds data)
	@rm -rf $(VENV) build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- the environment; a stamp is newer than the lock it was made from

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; say which: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m pip --version >/dev/null 2>&1 || { echo "pip is needed: apt-get install python3-pip" >&2; exit 1; }
	@echo "making $(VENV)"
	@$(PYTHON) -m venv --without-pip $(VENV) || { echo "venv is needed: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.runtime: requirements-demo.lock | $(BIN)/python
	@echo "installing requirements-demo.lock into $(VENV)"
	@$(PIP) install --require-hashes --requirement requirements-demo.lock
	@touch $@

# The project itself is linked in by hatchling from the lock, so nothing unpinned is fetched.
$(VENV)/.installed: requirements-dev.lock pyproject.toml | $(BIN)/python
	@echo "installing requirements-dev.lock into $(VENV)"
	@$(PIP) install --require-hashes --requirement requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $(VENV)/.runtime $@
