# Everything a contributor types. `make help` lists it. All that is installed goes into .venv and .tools.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench soak mutants docs clean

help: ## what there is
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

demo: .venv/runtime ## a pipeline that makes duplicates at every layer, and what dupscope says about them
	@$(BIN)/dupscope demo $(ARGS)

test: .venv/dev ## all tests; ARGS="tests/unit -k page" for some. Without Java the parts on real Kafka say so
	$(BIN)/python -m pytest $(ARGS)

lint: .venv/dev ## style, types, room borders, spelling, generated documents
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/python scripts/docs.py --check
	$(BIN)/python scripts/docs_config.py --check

bench: .venv/dev ## speed against the bare loop and the naive script, durability, bytes per key, restart
	$(BIN)/python bench/run.py $(ARGS)

soak: .venv/dev ## the long form: another Kafka, many more random histories, 1,000 kills (hours)
	DUPSCOPE_KAFKA_VERSION=3.9.2 $(BIN)/python -m pytest tests/kafka tests/contract
	DUPSCOPE_HYPOTHESIS=soak $(BIN)/python -m pytest tests/property --timeout=0
	DUPSCOPE_FAULT_CYCLES=1000 $(BIN)/python -m pytest tests/faults --timeout=0

mutants: .venv/dev ## removes one guard at a time; each must be caught by a test
	$(BIN)/python scripts/mutants.py $(ARGS)

docs: .venv/dev ## writes the generated documents
	$(BIN)/python scripts/docs.py
	$(BIN)/python scripts/docs_config.py

clean: ## removes what was installed and built here
	rm -rf .venv .tools .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist

.venv/runtime: pyproject.toml
	@test -n "$(PYTHON)" || { echo "dupscope needs Python 3.11 or later; name it with PYTHON=…" >&2; exit 1; }
	@echo "installing dupscope into .venv (once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/dev: .venv/runtime
	@echo "installing the development tools into .venv (once)"
	@$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@
