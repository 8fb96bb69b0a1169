# make test   the whole test suite, the linters and the type checker, in an environment made here
# make demo   every tap against its own sandbox into a DuckDB file; no account needed
# make docs   write the README's tables anew from the code
# PYTHON=python3.12 make test   takes another interpreter (3.10 to 3.13)

PYTHON ?= python3
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])')
VENV := .venv
BIN := $(VENV)/bin
TARGET := .demo/target
PIP := -m pip --disable-pip-version-check install --quiet
CHECKED := shared tap_* tests docs benchmarks integration

.PHONY: test check demo docs clean
.DEFAULT_GOAL := test

test: check
	$(BIN)/python -m pytest

check: $(VENV)/.dev-$(VERSION)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/mypy --strict
	$(BIN)/lint-imports --no-cache

demo: $(VENV)/.taps-$(VERSION) $(TARGET)/.target-$(VERSION)
	$(TARGET)/bin/python docs/demo.py --taps $(BIN) --target $(TARGET)/bin --folder .demo

docs: $(VENV)/.dev-$(VERSION)
	$(BIN)/python -m shared.docs README.md

clean:
	rm -rf $(VENV) .demo dist build

# The stamps carry the interpreter's version, so that another PYTHON makes the environments anew, and depend on
# pyproject.toml, so that a changed dependency is installed; a second run with neither changed takes no time.

$(VENV)/.python-$(VERSION):
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 10) <= sys.version_info < (3, 14) else "Python 3.10 to 3.13 is needed, $(PYTHON) is $(VERSION)")'
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.taps-$(VERSION): $(VENV)/.python-$(VERSION) pyproject.toml
	$(BIN)/python $(PIP) --editable .
	touch $@

$(VENV)/.dev-$(VERSION): $(VENV)/.python-$(VERSION) pyproject.toml
	$(BIN)/python $(PIP) --editable '.[dev]'
	touch $@ $(VENV)/.taps-$(VERSION)

# The target lives apart from the taps, as Singer runners do it: it needs another jsonschema than singer-python does.
$(TARGET)/.target-$(VERSION): docs/demo-target.txt
	rm -rf $(TARGET)
	$(PYTHON) -m venv $(TARGET)
	$(TARGET)/bin/python $(PIP) --requirement docs/demo-target.txt
	touch $@
