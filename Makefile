# The project's commands; `make help` lists them. They need make and Python 3.11 or newer, no more:
# an environment is made from poetry.lock, hashes checked, and brought up to date when that changes.
# PYTHON=python3.12 make test   runs on another Python, in an environment of its own.

PYTHON ?= python3
VENV ?= .venv$(patsubst %,-%,$(filter-out python3,$(notdir $(PYTHON))))
BIN := $(VENV)/bin
POETRY := $(VENV)/poetry/bin/poetry
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev
BENCH := $(VENV)/.bench

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help run demo test check format nightly bench bench-quick screenshots hooks lock
.DELETE_ON_ERROR:

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

run: $(RUNTIME) ## start the service on port 9876 (GISTAPI_PORT=... for another)
	@exec $(BIN)/gistapi serve

demo: $(DEV) ## start it beside a made-up GitHub: no network, no rate limit
	@exec $(BIN)/python -m tests.demo

test: $(DEV) ## run every test, with branch coverage
	@$(BIN)/python -m tests.browser_path
	$(BIN)/pytest --cov --numprocesses 4

check: $(DEV) ## run every other check: lint, format, types, import rules, image, workflow, lock
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pylint --jobs 2 gistapi tests bench
	$(BIN)/mypy
	$(BIN)/pytest --quiet tests/architecture/test_architecture.py
	$(BIN)/hadolint Dockerfile
	$(BIN)/zizmor --quiet --offline .github
	$(POETRY) check --quiet --lock --strict

format: $(DEV) ## mend what ruff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

nightly: $(DEV) ## run the tests with a large search for counterexamples (an hour or so)
	HYPOTHESIS_PROFILE=nightly $(BIN)/pytest --timeout 7200

bench: $(BENCH) ## measure beside the alternatives (8 minutes); writes bench/results and the README
	$(BIN)/python -m bench

bench-quick: $(BENCH) ## have a glance at the same (a minute); writes into dist/bench-quick
	$(BIN)/python -m bench --plan quick --out dist/bench-quick

screenshots: $(DEV) ## take the pictures in docs/screenshots anew (needs Chromium, an emoji font)
	$(BIN)/python -m tests.screenshots

hooks: $(DEV) ## have git run the quick checks before each commit
	$(BIN)/pre-commit install

lock: $(DEV) ## write poetry.lock anew from pyproject.toml
	$(POETRY) lock

$(POETRY): .ci/poetry.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv $(VENV)
	$(PYTHON) -m venv --clear $(VENV)/poetry
	$(VENV)/poetry/bin/pip install --quiet --requirement $<
	@touch $@

# The lock names every package, so pip has nothing to resolve (--no-deps). Python compiles what is
# imported; compiling the rest too (--no-compile) took a third of the time.
$(RUNTIME): GROUPS := --only main
$(DEV): GROUPS := --with dev,lint
$(BENCH): GROUPS := --with dev,bench
$(RUNTIME) $(DEV) $(BENCH): poetry.lock $(POETRY)
	$(POETRY) export --quiet $(GROUPS) --output $@.txt
	$(BIN)/pip install --quiet --no-compile --no-deps --require-hashes --requirement $@.txt
	VIRTUAL_ENV=$(abspath $(VENV)) $(POETRY) install --quiet --only-root
	@touch $@
