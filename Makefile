# Rescind: `make` alone says what there is.
.DEFAULT_GOAL := help
.PHONY: help setup sdks serve check format test worlds bench soak clean

PYTHON ?= python3
UV := PYTHONPATH=.tools .tools/bin/uv
VENV := .venv/bin
# Node options come from RESCIND_… variables: see `make serve` in the README.

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.ready-dev sdks ## Set up everything: a working .venv/bin/rescind, and what tests need

serve: .venv/.ready ## Serve on http://127.0.0.1:8480 from an embedded database, set up first if need be
	@$(VENV)/rescind serve

check: .venv/.ready-dev ## Format, lint, types and the import rule
	@$(VENV)/ruff format --check --quiet .
	@$(VENV)/ruff check --quiet .
	@$(VENV)/mypy
	@$(VENV)/lint-imports --no-logo 2>/dev/null || $(VENV)/lint-imports

format: .venv/.ready-dev ## Put the source into its one form
	@$(VENV)/ruff check --fix --quiet . ; $(VENV)/ruff format --quiet .

test: check sdks ## Everything: checks, and all tests on SQLite and PostgreSQL (PostgreSQL comes in a wheel)
	@$(VENV)/pytest -n 4 --dist worksteal -q

worlds: .venv/.ready-dev ## Preview, then make every removal from all 26,290 small worlds, of which tests take a part: 25 minutes
	@RESCIND_TEST_ALL_WORLDS=1 $(VENV)/pytest -n 4 -q tests/stories/test_previews.py -k small_world

bench: .venv/.ready-bench ## Measure, beside other engines, and write docs/performance.md: half an hour
	@command -v wrk >/dev/null || echo "wrk is missing: nothing will be measured over HTTP (Debian has it as the package wrk)"
	@$(VENV)/python bench/report.py $(BENCH_OPTIONS)

soak: .venv/.ready-dev ## Hold nodes under faults to the promise: SECONDS=60 SEED=… SOAK_OPTIONS="--kind sqlite"
	@cd tests && ../$(VENV)/python -m consistency.soak --seconds $(or $(SECONDS),60) $(if $(SEED),--seed $(SEED)) $(SOAK_OPTIONS)

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

.venv/.ready-bench: .venv/.ready-dev bench/peers.txt
	@$(UV) pip install --quiet --constraint constraints.txt --requirement bench/peers.txt
	@touch $@

# SDKs that tests run beside those of constraints.txt: an older one, and that of Node.
sdks: .venv/sdk/auth0-python-5.8/.ready .venv/sdk/node/.ready

.venv/sdk/auth0-python-5.8/.ready: tests/sdk/auth0-python-5.8.txt | .venv/bin/python .tools/bin/uv
	@rm -rf $(@D)
	@$(UV) pip install --quiet --no-deps --target $(@D) --requirement $<
	@touch $@

NODE_OK = command -v npm >/dev/null && node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b > 18) ? 0 : 1)' 2>/dev/null

.venv/sdk/node/.ready: tests/sdk/node/package.json tests/sdk/node/.npmrc | .venv/bin/python
	@if $(NODE_OK); then \
		rm -rf $(@D) && mkdir -p $(@D) && cp $^ $(@D)/ && npm install --loglevel=error --silent --prefix $(@D) && touch $@; \
	else echo "Node 20.19 or newer with npm is missing: the test of the Node SDK will be skipped"; fi
