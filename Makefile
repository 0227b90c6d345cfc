# The one front door. `make` alone prints what it can do.
.DEFAULT_GOAL := help
.PHONY: help setup proto fmt check test simulate browser dashboards faults fuzz soak sbom audit bench bench-hold bench-move demo up down spark-test

PYTHON ?= python3
BIN := .venv/bin
SOURCES := $(wildcard proxy clients/python deploy examples bench tests)

help: ## print the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '  make %-11s %s\n' "$$name" "$$text"; done

setup: ## install everything into .venv and node_modules (quick when nothing changed)
	@PYTHON=$(PYTHON) scripts/setup

proto: setup ## generate the client's code from proto/
	scripts/proto

fmt: setup ## format the code and mend what ruff can mend
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

check: setup ## lint, types, generated code fresh
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	scripts/proto --check
	scripts/vendor --check

PROCESSES ?= 0
test: setup ## run every test on the real stores (PROCESSES=3 shares them out; ARGS go to pytest)
	@$(BIN)/python -m pytest --numprocesses $(PROCESSES) --no-loadscope-reorder $(ARGS)

SEEDS ?= 2000
simulate: setup ## prove the protocol in SEEDS simulated worlds, and let every mutant of it be caught
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS) $(ARGS)

browser: setup ## operate the console in a real Chromium; pictures in build/screenshots
	@scripts/chromium --required
	@$(BIN)/python -m pytest tests/browser $(ARGS)

dashboards: setup ## run every panel and alert against a real Prometheus that scrapes real proxies
	@scripts/prometheus --required
	@$(BIN)/python -m tests.dashboards $(ARGS)

faults: setup ## kill, stop and cut off real proxies and stores; about 15 minutes (ARGS: words of their names)
	@$(BIN)/python -m tests.faults $(ARGS)

sbom: setup ## write build/sbom.json: what the proxy is made of (CycloneDX)
	@$(BIN)/python scripts/sbom

audit: setup ## ask databases of known flaws about every pinned dependency; needs the network
	@scripts/audit $(ARGS)

fuzz: setup ## send generated and mutated requests to both stores and readers (MINUTES=5)
	@$(BIN)/python -m tests.fuzz --minutes $(or $(MINUTES),5) $(ARGS)

soak: setup ## mixed load and faults for MINUTES=10: memory and latency must stay flat, and nothing be lost
	@$(BIN)/python -m tests.soak --minutes $(or $(MINUTES),10) $(ARGS)

bench: setup ## measure Crossfade beside the alternatives, against its budgets (ARGS=--quick: under five minutes)
	@$(BIN)/python -m bench $(ARGS)

bench-hold: setup ## measure how long writes wait in 50 changes of the primary under load
	@$(BIN)/python -m bench.hold $(ARGS)

spark-test: setup ## install Spark (half a GB) into .venv, and test its job in local mode on the real stores
	@$(BIN)/python -m pip --quiet --disable-pip-version-check install --constraint constraints.txt --no-build-isolation --editable '.[spark]'
	@$(BIN)/python -m pytest tests/spark $(ARGS)

bench-move: setup ## move 200,000 documents, killed, spoilt and mended, against a bare loop (ARGS=--documents 20000)
	@$(BIN)/python -m bench.move $(ARGS)

demo: setup ## watch one live migration from MongoDB to DynamoDB and back (ARGS=--json for a summary)
	@$(BIN)/python -m examples.demo $(ARGS)

up: setup ## start the demo's stack in the background, for playing
	@$(BIN)/python -m examples.playground up $(ARGS)

down: ## stop what `make up` started
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m examples.playground down; fi
