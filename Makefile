# make test   the whole test suite, the linters and the type checker, in an environment made here
# make demo   every tap against its own sandbox into a DuckDB file; no account needed
# make integration   the taps with public targets on a real PostgreSQL, Meltano, Dagster and a browser: a quarter of an hour
# make fuzz   100,000 configs, states and catalogs of every wrong shape, which takes hours
# make contract  every kind of fault at every place of every stream (the tests hold a sample): an hour or two
# make site   the pages of docs/ as a site with a search, in site/
# make docs   write anew what is generated from the code: the tables in docs/, plugins/
# PYTHON=python3.12 make test   takes another interpreter (3.10 to 3.14)

PYTHON ?= python3
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])')
VENV := .venv
BIN := $(VENV)/bin
TARGET := .demo/target
PIP := -m pip --disable-pip-version-check install --quiet
PLUGINS := $(wildcard plugins/extractors/*.yml examples/meltano/plugins/extractors/*.lock)
CHECKED := shared marketing_taps tap_* tests docs benchmarks integration examples

.PHONY: test site say check contract fuzz demo docs clean integration integration-quick
.DEFAULT_GOAL := test

test: check
	$(BIN)/python -m pytest

check: $(VENV)/.dev-$(VERSION)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/mypy --strict
	$(BIN)/lint-imports --no-cache

fuzz: $(VENV)/.dev-$(VERSION)
	FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-100000} $(BIN)/python -m pytest tests/test_fuzz.py

contract: $(VENV)/.dev-$(VERSION)
	$(BIN)/python -m pytest --matrix -q tests/test_contract.py tests/test_matrix.py

demo: say $(VENV)/.taps-$(VERSION) $(TARGET)/.target-$(VERSION)
	$(TARGET)/bin/python docs/demo.py --taps $(BIN) --target $(TARGET)/bin --folder .demo

say:
	@echo "About three minutes: first the taps and target-duckdb are installed into .venv and .demo, if they are not there yet;"
	@echo "then each tap reads its sandbox into a DuckDB file, and once more as it is a day later."

# Debian's packages that it needs: postgresql, chromium, chromium-driver. Each program lives in an environment of its own.
PROGRAMS := $(basename $(notdir $(wildcard integration/environments/*.txt)))
QUICK := target-jsonl target-duckdb meltanolabs-target-postgres pipelinewise-target-postgres
INTEGRATION := .integration/python-$(VERSION)
INTEGRATE := INTEGRATION_ENVIRONMENTS=$(INTEGRATION) $(BIN)/python -m pytest -n 2 -q integration

integration: $(VENV)/.integration-$(VERSION) $(PROGRAMS:%=$(INTEGRATION)/.%)
	$(INTEGRATE)

# What CI runs of it: the targets that most people use.
integration-quick: $(VENV)/.dev-$(VERSION) $(QUICK:%=$(INTEGRATION)/.%)
	$(INTEGRATE)/test_targets.py -m quick

$(INTEGRATION)/.%: integration/environments/%.txt
	rm -rf $(INTEGRATION)/$*
	$(PYTHON) -m venv $(INTEGRATION)/$*
	$(INTEGRATION)/$*/bin/python $(PIP) --requirement $<
	touch $@

docs: $(VENV)/.dev-$(VERSION)
	$(BIN)/python -m shared.command.about docs/tap-*.md
	$(BIN)/python -m shared.command.plugins $(PLUGINS)

site: $(VENV)/.python-$(VERSION)
	$(BIN)/python $(PIP) 'mkdocs-material>=9.5,<10'
	$(BIN)/mkdocs build --quiet

clean:
	rm -rf $(VENV) .demo .integration dist build site

# The stamps carry the interpreter's version, so that another PYTHON makes the environments anew, and depend on
# pyproject.toml, so that a changed dependency is installed; a second run with neither changed takes no time.

$(VENV)/.python-$(VERSION):
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 10) <= sys.version_info < (3, 15) else "Python 3.10 to 3.14 is needed, $(PYTHON) is $(VERSION)")'
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.taps-$(VERSION): $(VENV)/.python-$(VERSION) pyproject.toml
	$(BIN)/python $(PIP) --editable .
	touch $@

$(VENV)/.dev-$(VERSION): $(VENV)/.python-$(VERSION) pyproject.toml
	$(BIN)/python $(PIP) --editable '.[dev]'
	touch $@ $(VENV)/.taps-$(VERSION)

$(VENV)/.integration-$(VERSION): $(VENV)/.dev-$(VERSION)
	$(BIN)/python $(PIP) --editable '.[dev,integration]'
	touch $@

# The target lives apart from the taps, as Singer runners do it: it needs another jsonschema than singer-python does.
$(TARGET)/.target-$(VERSION): docs/demo-target.txt
	rm -rf $(TARGET)
	$(PYTHON) -m venv $(TARGET)
	$(TARGET)/bin/python $(PIP) --requirement docs/demo-target.txt
	touch $@
