# Rescind: `make` alone says what there is.
.DEFAULT_GOAL := help
.PHONY: help setup serve check format test test-fast clean

PYTHON ?= python3
UV := PYTHONPATH=.tools .tools/bin/uv
VENV := .venv/bin
# Node options come from RESCIND_… variables: see `make serve` in the README.

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.ready-dev ## Set up everything: a working .venv/bin/rescind, and what tests need

serve: .venv/.ready ## Serve on http://127.0.0.1:8480 from an embedded database, set up first if need be
	@$(VENV)/rescind serve

check: .venv/.ready-dev ## Format, lint, types and the import rule
	@$(VENV)/ruff format --check --quiet .
	@$(VENV)/ruff check --quiet .
	@$(VENV)/mypy
	@$(VENV)/lint-imports --no-logo 2>/dev/null || $(VENV)/lint-imports

format: .venv/.ready-dev ## Put the source into its one form
	@$(VENV)/ruff check --fix --quiet . ; $(VENV)/ruff format --quiet .

test: check ## Everything: checks, and all tests on SQLite and PostgreSQL (PostgreSQL comes in a wheel)
	@$(VENV)/pytest -n 4 --dist worksteal -q

clean: ## Remove what was set up here
	rm -rf .venv .tools

.tools/bin/uv: constraints.txt
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
		--upgrade --target .tools "$$(grep '^uv==' constraints.txt)"
	@touch $@

.venv/bin/python: | .tools/bin/uv
	@$(UV) venv --quiet --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" .venv

.venv/.ready: pyproject.toml constraints.txt | .venv/bin/python .tools/bin/uv
	@$(UV) pip install --quiet --constraint constraints.txt --editable .
	@touch $@

.venv/.ready-dev: .venv/.ready
	@$(UV) pip install --quiet --constraint constraints.txt --editable . --group dev
	@touch $@
