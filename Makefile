PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	$$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$python; break; }; done)
BIN := .venv/bin
INSTALLED := .venv/.installed
PROTO := .venv/proto
# Tests wait for processes more than they work.
WORKERS := $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))

.DEFAULT_GOAL := help
.PHONY: help install demo run test test-browser test-chaos test-mesh test-slow bench bench-quick bench-peers check format proto envoy-configs docs screenshots clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.* ## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

install: $(INSTALLED) ## Make .venv with everything, Envoy included

# Everything that is installed follows from pyproject.toml: nothing to do until it changes.
$(INSTALLED): pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer, with its venv module, is needed." >&2; exit 1; }
	@echo "Installing into .venv with $(PYTHON); the first time takes a minute or two."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --editable '.[envoy,languages,mcp,otel,pii]' --group dev
	@touch $@

demo: $(INSTALLED) ## Send a conversation to sample agents through Envoy, and say what happened
	@$(BIN)/outerloop demo

run: $(INSTALLED) ## Leave the demo's agents, Envoy and processor running, with a request to try
	@$(BIN)/outerloop demo --run

test: check ## Run lint, types and all tests, through a real Envoy
	$(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile

test-browser: $(INSTALLED) ## The status page in a real Chromium, which is installed where apt-get can
	@sh tests/browser/chromium.sh
	$(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile tests/browser

test-chaos: $(INSTALLED) ## Hosts, agents and workers that fail, under load, for some minutes
	$(BIN)/pytest tests/chaos tests/e2e/life

test-mesh: $(INSTALLED) ## Real control planes, built if need be, drive a real Envoy with our manifests
	@for script in tests/mesh/*_install.sh; do sh $$script || exit; done
	$(BIN)/pytest -m '' tests/mesh

test-slow: $(INSTALLED) ## What `make test` leaves out, as it starts many gateways
	$(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile -m slow tests/e2e

bench: $(INSTALLED) ## Measure how fast it is, in half an hour: tables and plots in benchmarks/results
	$(BIN)/python -m benchmarks.speed

bench-quick: $(INSTALLED) ## The same cases within two minutes, to see that all of them run
	$(BIN)/python -m benchmarks.speed --quick

bench-peers: $(INSTALLED) ## Measure others that do the same job beside it
	$(BIN)/python -m benchmarks.speed.peers

check: $(INSTALLED) ## Run lint and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(INSTALLED) ## Format the code and mend what ruff can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# The compiler's runtime is older than ours: see proto/generate.py.
proto: ## Generate extproc/_pb from proto/
	@$(PYTHON) -m venv $(PROTO)
	@$(PROTO)/bin/python -m pip install --quiet --disable-pip-version-check grpcio-tools==1.71.2
	$(PROTO)/bin/python proto/generate.py

envoy-configs: $(INSTALLED) ## Render envoy/ from the examples
	for name in $(notdir $(patsubst %/outerloop.yaml,%,$(wildcard examples/*/outerloop.yaml))); do \
		$(BIN)/outerloop render -c examples/$$name/outerloop.yaml --target bootstrap -o envoy/$$name \
		|| exit; done

docs: $(INSTALLED) ## Generate docs/configuration.md
	$(BIN)/python docs/generate.py

screenshots: $(INSTALLED) ## Take the pictures of the status page in docs/images
	@sh tests/browser/chromium.sh
	$(BIN)/python -m tests.browser.screenshots

clean: ## Remove .venv and everything that can be made again
	rm -rf .venv .mesh benchmarks/.peers build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
