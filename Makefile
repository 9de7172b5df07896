# `make` sets everything up in .venv and does the main job; `make test` runs every check.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
PARTS  := site/node_modules/.package-lock.json

.DEFAULT_GOAL := all
.PHONY: all setup catalog site demo test lint types serve clean

all: catalog site demo
	@echo
	@echo "The site is in build/site/index.html. To read it in a browser: make serve"

setup: $(STAMP) $(PARTS)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[run,test]'
	@touch $@

# JavaScript that the site takes from others; a machine without Node gets it from PyPI.
$(PARTS): site/package.json site/package-lock.json | $(STAMP)
	@command -v npm >/dev/null || $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[node]'
	$(BIN)/catalog site parts
	@touch $@

catalog: setup
	$(BIN)/catalog validate
	$(BIN)/catalog build

site: setup
	$(BIN)/catalog site build

demo: setup
	$(BIN)/unlearn run npo

serve: site
	$(BIN)/catalog site serve

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

types: setup
	$(BIN)/mypy

test: lint types
	$(BIN)/catalog validate
	$(BIN)/catalog build --check
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder

clean:
	rm -rf build .venv site/node_modules
