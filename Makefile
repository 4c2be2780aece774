# The project's commands; `make help` lists them. They need make, git and Python 3.11 or newer with
# its venv module (Debian: git make python3 python3-venv). An environment is made from poetry.lock,
# hashes checked, and brought up to date when that changes.
# PYTHON=python3.12 make test   runs on another Python, in an environment of its own.

PYTHON ?= python3
VENV ?= .venv$(patsubst %,-%,$(filter-out python3,$(notdir $(PYTHON))))
BIN := $(VENV)/bin
TOOLS := $(VENV)/tools/bin
POETRY := $(TOOLS)/poetry
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev
BENCH := $(VENV)/.bench
BIOME := @biomejs/biome@2.6.8
SCRIPTS := $(wildcard gistapi/web/ui/static/*.js)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Without bytecode, each process that the tests start would compile all its imports.
unexport PYTHONDONTWRITEBYTECODE
# uv takes an eighth of pip's time; pip is for where uv finds no index (it does not read pip.conf).
install = $(TOOLS)/uv pip install --quiet --python $(1) $(2) \
	|| $(TOOLS)/pip --python $(1) install --quiet --no-compile $(2)

.DEFAULT_GOAL := help
.PHONY: help run demo test coverage test-fast check format nightly bench bench-quick screenshots hooks lock
.DELETE_ON_ERROR:

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

run: $(RUNTIME) ## start the service on port 9876 (GISTAPI_PORT=... for another)
	@exec $(BIN)/gistapi serve

demo: $(DEV) ## start it with a fake GitHub: no network, no rate limit
	@exec $(BIN)/python -m tests.demo

test: $(DEV) ## run every test
	@$(BIN)/python -m tests.browser_path
	$(BIN)/pytest --numprocesses 4 --dist worksteal

coverage: $(DEV) ## run every test and measure branch coverage, which doubles the time
	$(BIN)/pytest --cov --numprocesses 4

test-fast: $(DEV) ## run the tests that start no programs, with few examples: while you write
	HYPOTHESIS_PROFILE=fast $(BIN)/pytest --quiet --numprocesses 4 -m 'not programs'

check: $(DEV) ## run every other check: lint, format, types, import rules, image, workflow, lock
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pylint gistapi tests bench
	$(BIN)/mypy
	$(BIN)/pytest --quiet tests/architecture/test_architecture.py
	$(BIN)/hadolint Dockerfile
	$(BIN)/zizmor --quiet --offline .github
	@if command -v npm >/dev/null; then npm exec --yes --package=$(BIOME) -- biome lint $(SCRIPTS); \
		else echo 'npm is not installed: the page'\''s scripts are not checked.'; fi
	$(POETRY) check --quiet --lock --strict

format: $(DEV) ## fix what ruff can fix
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

nightly: $(DEV) ## run the tests with a large search for counterexamples, and every attack (an hour or so)
	HYPOTHESIS_PROFILE=nightly $(BIN)/pytest --timeout 7200

bench: $(BENCH) ## measure the service and alternatives (6 minutes); writes bench/results, README
	$(BIN)/python -m bench

bench-quick: $(BENCH) ## measure the same quickly (a minute); writes into dist/bench-quick
	$(BIN)/python -m bench --plan quick --out dist/bench-quick

screenshots: $(DEV) ## take the pictures in docs/screenshots (needs Chromium, an emoji font)
	$(BIN)/python -m tests.screenshots

hooks: $(DEV) ## make git run the quick checks before each commit
	$(BIN)/pre-commit install

lock: $(DEV) ## write poetry.lock from pyproject.toml
	$(POETRY) lock

$(POETRY): .ci/uv.txt .ci/poetry.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	@echo 'Setting up $(VENV): uv and poetry, which read the lock file (once) ...'
	@$(PYTHON) -m venv $(VENV)
	@$(PYTHON) -m venv --clear $(VENV)/tools
	@$(TOOLS)/pip install --quiet --requirement .ci/uv.txt
	@$(call install,$(TOOLS)/python,--requirement .ci/poetry.txt)
	@touch $@

# The lock names every package, so there is nothing to resolve (--no-deps).
$(RUNTIME): GROUPS := --only main
$(DEV): GROUPS := --with dev,lint
$(BENCH): GROUPS := --with dev,bench
$(RUNTIME) $(DEV) $(BENCH): poetry.lock $(POETRY)
	@$(POETRY) export --quiet $(GROUPS) --output $@.txt
	@echo "Setting up $(VENV): $$(grep -c == $@.txt) packages of poetry.lock (until that changes) ..."
	@$(call install,$(BIN)/python,--no-deps --require-hashes --requirement $@.txt)
	@VIRTUAL_ENV=$(abspath $(VENV)) $(POETRY) install --quiet --only-root
	@touch $@
