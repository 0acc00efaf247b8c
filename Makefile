# `make demo` and `make test` need Python >= 3.11 and make, nothing else: they make .venv and install into it.
PYTHON ?= python3
BIN := .venv/bin
RUN ?= runs/demo
# what is imported is compiled then: half a minute sooner
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt

.PHONY: demo test lint bench docs

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(INSTALL) torch
	$(INSTALL) -e '.[dev]'
	touch $@

# Train the default recipe and two tuned baselines (a finished or stopped run is gone on with), then compare them.
demo: .venv/installed
	$(BIN)/python examples/demo.py $(RUN)

test: .venv/installed  # a process per core, each on one thread
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/installed
	$(BIN)/python benchmarks/step.py

.venv/docs-installed: .venv/installed
	$(INSTALL) -e '.[docs]'
	touch $@

# The documentation site, into site/: without the network; a dead link, a dead anchor or an asset of another host fails it.
docs: .venv/docs-installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
