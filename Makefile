# Promptwire: `make run` starts it, `make test` proves it, `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test check gen docs lint types imports breaking sim bench overload bench-peers lock format clean matrix baseline sync-client

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.run ## Start the server on loopback with the embedded defaults (ARGS="--config my.yaml" adds options)
	@exec $(BIN)/promptwire serve $(ARGS)

test: $(VENV)/.dev check ## Check everything, then run all tests
	$(BIN)/python -m pytest -n auto --dist worksteal tests $(ARGS)

check: $(VENV)/.dev lint types imports sync-client gen-check breaking ## Lint, types, import rules, generated code, contract

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/buf lint

types: $(VENV)/.dev
	$(BIN)/mypy

imports: $(VENV)/.dev
	$(BIN)/lint-imports

.PHONY: gen-check
gen-check: $(VENV)/.dev
	@rm -rf .gen-check && mkdir -p .gen-check && .ci/gen .gen-check
	@for p in v1 admin; do diff -r -x __pycache__ clients/python/promptwire/$$p .gen-check/promptwire/$$p || { echo "generated stubs differ from protos/: run make gen"; exit 1; }; done
	@rm -rf .gen-check && echo "generated stubs: up to date"

sync-client: $(VENV)/.dev
	$(BIN)/python .ci/unasync.py --check

breaking: $(VENV)/.dev
	$(BIN)/buf breaking --against .ci/contract-baseline
	@echo "contract: compatible with the last tagged one"

gen: $(VENV)/.dev ## Generate the Python stubs and the sync client
	.ci/gen
	$(BIN)/python .ci/unasync.py

docs: $(VENV)/.run ## Write the README's table of providers anew
	$(BIN)/python .ci/docs.py

baseline: $(VENV)/.dev ## Make the present contract the one that later ones are compared with (when tagging)
	rm -rf .ci/contract-baseline && mkdir -p .ci/contract-baseline/protos
	cp -r protos/promptwire .ci/contract-baseline/protos/ && cp buf.yaml .ci/contract-baseline/

format: $(VENV)/.dev ## Format code and contract
	$(BIN)/ruff check --fix . ; $(BIN)/ruff format . ; $(BIN)/buf format -w

sim: $(VENV)/.dev ## Play 100,000 histories of vendors and callers in virtual time (PROMPTWIRE_SIM_SEED=7 plays that one again)
	$(BIN)/python -m tests.sim $(ARGS)

matrix: $(VENV)/.dev ## Hold every dialect to every fault, those with short timers too (on a machine that does nothing else)
	$(BIN)/python -m pytest -m '' tests/faults/test_matrix.py $(ARGS)

bench: $(VENV)/.dev ## Compare with a bare gRPC server in one run (needs h2load)
	$(BIN)/python -m tests.bench $(ARGS)

overload: $(VENV)/.dev ## See what becomes of everybody at 2, 4 and 5 times the capacity (on a machine that does nothing else)
	$(BIN)/python -m tests.bench.overload $(ARGS)

bench-peers: $(VENV)/.dev ## Run LiteLLM's proxy and Portkey's gateway beside ours
	$(BIN)/python -m tests.bench.peers $(ARGS)

lock: $(VENV)/.dev ## Compile the locks anew
	.ci/lock

clean: ## Remove what was built
	rm -rf $(VENV) .gen-check .bench dist build

$(VENV)/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Promptwire needs Python 3.11 or newer; this is $$($(PYTHON) --version). Try: make PYTHON=python3.12 run"; exit 1; }
	@echo "setting up $(VENV) (once, about a minute)"
	@$(PYTHON) -m venv $(VENV) && $(BIN)/pip install --quiet --disable-pip-version-check uv

$(VENV)/.run: $(VENV)/bin/uv .ci/requirements.txt pyproject.toml clients/python/pyproject.toml
	@$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r .ci/requirements.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e clients/python -e .
	@$(BIN)/python -m compileall -q server clients/python/promptwire # compiling at every start costs 5 MB and a second
	@touch $@

$(VENV)/.dev: $(VENV)/.run .ci/requirements-dev.txt .ci/requirements-gen.txt
	@echo "installing what the tests need"
	@$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r .ci/requirements-dev.txt
	@$(UV) venv --quiet --clear --python $(BIN)/python $(VENV)/gen
	@$(UV) pip install --quiet --python $(VENV)/gen/bin/python --require-hashes -r .ci/requirements-gen.txt
	@touch $@
