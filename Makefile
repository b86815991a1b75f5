# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

SMOKE := tests/test_accessors.py tests/test_simulated.py tests/change/test_area.py \
	tests/change/test_compare.py tests/water/test_water.py tests/export/test_raster.py \
	tests/test_completion.py src/strandline/water

.DEFAULT_GOAL := help
.PHONY: help demo test smoke check lint types docs notebooks clean

help:  ## Say what can be made
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 14

demo: $(VENV)/installed-core  ## Map how Walker Lake shrank, on built-in data
	$(BIN)/strandline demo --out strandline-demo

test: $(VENV)/installed-dev  ## Run the whole test suite
	$(BIN)/python -m pytest -n 2 --dist loadfile

smoke: $(VENV)/installed-dev  ## In a minute: a scene read, clustered, mapped, compared, reported, and the command line
	$(BIN)/python -m pytest -n 2 --dist loadfile -k "not truth" $(SMOKE)

check: lint types test  ## Everything that has to be green

lint: $(VENV)/installed-dev  ## Style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-dev  ## Static types
	$(BIN)/mypy

docs: $(VENV)/installed-dev  ## Build the documentation as a site: build/docs/index.html
	$(BIN)/python -m sphinx -q -W -b html -c docs -d build/doctrees . build/docs

notebooks: $(VENV)/installed-dev  ## Execute the notebooks and store their outputs; reads the scene that STRANDLINE_SCENE names
	$(BIN)/python -W ignore examples/execute.py

clean:  ## Remove the environment and everything that was made
	rm -rf $(VENV) build strandline-demo .pytest_cache .mypy_cache .ruff_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Strandline needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 demo"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The stamps are written last, so an interrupted installation is taken up again.
$(VENV)/installed-core: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/installed-dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $(VENV)/installed-core $@
