# `make` sets everything up in .venv and does the main job; `make test` runs every check.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
PARTS  := site/node_modules/.package-lock.json
LOCKS  := $(wildcard locks/*.txt) locks/manage.py
# What maintainers run beside the project has an environment of its own.
TOOLS  := build/tools

.DEFAULT_GOAL := all
.PHONY: all setup catalog site demo test fuzz lint types serve lock audit audit-python audit-javascript dist clean

all: catalog site demo
	@echo
	@echo "The site is in build/site/index.html. To read it in a browser: make serve"

setup: $(STAMP) $(PARTS)

$(STAMP): pyproject.toml constraints.txt $(LOCKS)
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python locks/manage.py install everything
	@touch $@

# JavaScript that the site takes from others; a machine without Node gets it from PyPI.
$(PARTS): site/package.json site/package-lock.json | $(STAMP)
	@command -v npm >/dev/null || $(BIN)/python locks/manage.py install node
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

# Text that breaks what the readers promise is looked for so many seconds for each of them; it is left in build/fuzzing.
SECONDS ?= 30
fuzz: setup
	$(BIN)/python locks/manage.py install fuzz
	@for target in $$($(BIN)/python tests/fuzzing/fuzz.py --list | cut -d' ' -f1); do \
	  echo "== $$target"; $(BIN)/python tests/fuzzing/fuzz.py $$target --seconds $(SECONDS) || exit 1; done

$(TOOLS)/.installed: $(LOCKS)
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python locks/manage.py install tools
	@touch $@

# After a change of pyproject.toml or constraints.txt; UPGRADE=1 takes newer versions of what these leave open, too.
lock: $(TOOLS)/.installed
	$(TOOLS)/bin/python locks/manage.py renew $(if $(UPGRADE),--upgrade)

# Known vulnerabilities in what is locked. What cannot be asked about is no pass: --strict.
audit: audit-python audit-javascript

audit-python: $(TOOLS)/.installed
	$(TOOLS)/bin/pip-audit --strict --require-hashes --disable-pip --progress-spinner off \
	  $(foreach lock,build catalog run-test torch node tools,-r locks/$(lock).txt)

audit-javascript:
	npm audit --prefix site --package-lock-only

# What a release publishes; .ci/wheel tries it where there is no checkout.
dist: $(TOOLS)/.installed
	rm -rf build/dist
	$(TOOLS)/bin/pyproject-build --no-isolation --outdir build/dist .
	$(TOOLS)/bin/twine check --strict build/dist/*

clean:
	rm -rf build .venv site/node_modules
