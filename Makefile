# `make demo` and `make test` are all that a newcomer needs: each sets up what it uses, says
# what it reuses, and needs nothing but Python 3.11 to 3.13 and make.

.DEFAULT_GOAL := help

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

# Tests and demo start processes by the hundred. What Python has compiled it keeps, whatever the
# environment says: where nothing is kept, each of them compiles all that it imports, which takes
# longer than its work.
unexport PYTHONDONTWRITEBYTECODE

# Without PYTHON=… the environment that is there stays; with it, one of another Python is made anew.
version = $(shell $(1) -c 'import platform; print(platform.python_version())' 2>/dev/null)
ifneq ($(origin PYTHON),file)
ifneq ($(call version,$(PYTHON)),$(call version,$(BIN)/python))
$(VENV)/bin/uv: FORCE
endif
endif
FORCE:

# A stamp carries the digest of what was installed, so a changed requirement is seen.
digest  = $(shell cat requirements/$(1).txt pyproject.toml | cksum | tr -d ' ')
ALL    := $(VENV)/installed-all-$(call digest,all)
DEV    := $(VENV)/installed-dev-$(call digest,dev)
COMPILED := $(VENV)/compiled-$(call digest,dev)
STICKS := $(VENV)/installed-sticks-$(call digest,sticks)
RIVAL  := benchmarks/.venv
BENCH  := $(RIVAL)/installed-$(call digest,bench)
EMULATOR := benchmarks/.venv-bqemulator
BQEMULATOR := $(EMULATOR)/installed-$(call digest,bqemulator)
FOREIGN := .venv-clients
CLIENTS := $(FOREIGN)/installed-$(call digest,clients)

.PHONY: help setup demo test test-all jars bench bench-model bench-alarms bench-learning bench-bqlite bqlite-schedules faults learner-kills lint licences format requirements clean

help:
	@echo "make setup         the environment alone, in $(VENV)"
	@echo "make demo          the whole pipeline on real data, with a proof at its end"
	@echo "make test          style, types and the tests, against a real broker and bqlite; minutes"
	@echo "make test-all      the same with the long tests: faults, foreign clients, notebooks; coverage"
	@echo "make bench         the benchmarks and their baselines, to benchmarks/RESULTS.md;"
	@echo "                   make bench ONLY=model runs one of them"
	@echo "make bench-model   how good our models are, beside XGBoost, LightGBM and what is published;"
	@echo "                   HANDBOOK=raw.parquet adds the handbook's table, ONLY=inner is inner splits alone"
	@echo "make bench-alarms  how soon drift is told before labels come; HANDBOOK=… likewise"
	@echo "make bench-learning  what learning from late labels is worth; HANDBOOK=… likewise; ONLY=quiet"
	@echo "                   measures one part, SEEDS=1 with one seed; what is done is kept"
	@echo "make bench-bqlite  our BigQuery for one machine beside bqemulator: appends, loads, reads"
	@echo "make bqlite-schedules  a thousand random schedules of appends and kills"
	@echo "make faults        random faults for an hour: ROUNDS=300 SEED=…"
	@echo "make learner-kills a learner killed at any moment: KILLS=100 SEED=…"
	@echo "make lint          style, types, licences; make format mends what can be mended"
	@echo "make licences      list anew what each pinned dependency is under, in deploy/LICENCES.md"
	@echo "make requirements  compile the locked requirements anew"
	@echo "make clean         remove the environment and the state of this directory"

setup: $(ALL)
	@echo "environment: $(CURDIR)/$(VENV) is ready; $(BIN)/fraudline is in it"

demo: $(ALL)
	@$(BIN)/fraudline demo

# Most of the time a test waits for a broker, so there are more workers than processors.
PYTEST := $(BIN)/pytest -n $(or $(WORKERS),4)

test: ready
	@$(PYTEST) -m "not slow"

# Types are checked by one process, so another one works beside it.
.PHONY: ready
ready: $(DEV)
	@$(MAKE) --no-print-directory -j2 lint jars $(COMPILED)

# What the tests import is compiled once for an environment, not by every worker at the same time.
# What cannot be imported or collected is told by the run itself.
$(COMPILED): $(DEV)
	@-$(BIN)/python -c 'import fraudline.training.recipes.all_recipes, fraudline.training.train' 2>/dev/null
	@-$(BIN)/pytest --collect-only -qq > /dev/null
	@rm -f $(VENV)/compiled-* && touch $@

# What the broker needs is fetched and recorded once per user, and not while a test's minute runs.
jars: $(DEV)
	@$(BIN)/python -c 'from fraudline.local.kafka import prepare_java; prepare_java(512, print)'

test-all: ready $(CLIENTS)
	@$(PYTEST) --cov

bench: $(DEV) $(BENCH)
	@$(BIN)/python -m benchmarks $(ONLY)

bench-model: $(DEV) $(STICKS)
	@$(BIN)/python -m benchmarks.model_quality $(if $(HANDBOOK),--handbook $(HANDBOOK)) \
	  $(if $(PAYMENTS),--payments $(PAYMENTS)) $(if $(ONLY),--only $(ONLY))

bench-alarms: $(DEV)
	@$(BIN)/python -m benchmarks.alarms $(if $(HANDBOOK),--handbook $(HANDBOOK))

# Hours with all five seeds; it may be stopped and started again: what was computed is kept in KEEP.
bench-learning: $(DEV)
	@$(BIN)/python -m benchmarks.learning $(ONLY) $(if $(HANDBOOK),--handbook $(HANDBOOK)) \
	  $(if $(SEEDS),--seeds $(SEEDS)) $(if $(RECIPE),--recipe $(RECIPE)) $(if $(KEEP),--keep $(KEEP))

bench-bqlite: $(DEV) $(BQEMULATOR)
	@$(BIN)/python -m benchmarks.emulators

# A thousand random schedules, 125 of them with a kill -9 in the middle; about five minutes.
bqlite-schedules: $(DEV)
	@BQLITE_SCHEDULES=1000 $(BIN)/pytest packages/bqlite/tests/test_schedules.py

faults: $(DEV)
	@$(BIN)/python -m tests.faults.rounds --rounds $(or $(ROUNDS),300) $(if $(SEED),--seed $(SEED))

learner-kills: $(DEV)
	@$(BIN)/python -m tests.faults.learner_kills --kills $(or $(KILLS),100) $(if $(SEED),--seed $(SEED))

lint: $(DEV)
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/python deploy/licences.py --check

licences: $(DEV)
	@$(BIN)/python deploy/licences.py

format: $(DEV)
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

$(VENV)/bin/uv: requirements/build.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit("fraudline needs Python 3.11 to 3.13, but $(PYTHON) is %d.%d. Name another one: make PYTHON=python3.12 …" % v)'
	@echo "environment: making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/build.txt
	@touch $@

$(VENV)/installed-%: $(VENV)/bin/uv
	@name=$*; name=$${name%%-*}; \
	echo "environment: installing requirements/$$name.txt"; \
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/$$name.txt && \
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable . && \
	rm -f $(VENV)/installed-$$name-* && touch $@

$(BENCH): $(VENV)/bin/uv
	@echo "environment: making $(RIVAL), for what the benchmarks compare with"
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(RIVAL)
	@$(BIN)/uv pip install --quiet --python $(RIVAL)/bin/python --require-hashes -r requirements/bench.txt
	@touch $@

$(CLIENTS): $(VENV)/bin/uv
	@echo "environment: making $(FOREIGN), for dbt, ibis and other clients of bqlite's tests"
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(FOREIGN)
	@$(BIN)/uv pip install --quiet --python $(FOREIGN)/bin/python --require-hashes -r requirements/clients.txt
	@touch $@

# bqemulator installs a DuckDB extension when it starts; this one comes from a package.
$(BQEMULATOR): $(VENV)/bin/uv
	@echo "environment: making $(EMULATOR), for what bqlite is compared with"
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(EMULATOR)
	@$(BIN)/uv pip install --quiet --python $(EMULATOR)/bin/python --require-hashes -r requirements/bqemulator.txt
	@HOME=$(CURDIR)/$(EMULATOR) $(EMULATOR)/bin/python -c 'import duckdb, pathlib, duckdb_extension_spatial as it; duckdb.execute("INSTALL \x27%s\x27" % next(pathlib.Path(it.__file__).parent.rglob("*.duckdb_extension")))'
	@touch $@

requirements: $(VENV)/bin/uv
	@for extra in "scoring" "all --extra all" "dev --extra all --group dev"; do \
	set -- $$extra; name=$$1; shift; \
	echo "compiling requirements/$$name.txt"; \
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	  --custom-compile-command "make requirements" $$@ pyproject.toml -o requirements/$$name.txt; \
	done
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	  --custom-compile-command "make requirements" --group bench -o requirements/bench.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	  --custom-compile-command "make requirements" --group bqemulator -o requirements/bqemulator.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	  --custom-compile-command "make requirements" --group clients -o requirements/clients.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	  --custom-compile-command "make requirements" --group sticks -c requirements/dev.txt -o requirements/sticks.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	  --custom-compile-command "make requirements" requirements/build.in -o requirements/build.txt

clean:
	@if [ -x $(BIN)/fraudline ]; then $(BIN)/fraudline down; fi
	@rm -rf $(VENV) $(RIVAL) $(EMULATOR) $(FOREIGN) .fraudline
