# mirsweep: `make demo` and `make test` work on a bare machine with Python >= 3.11 and pip.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo docs samples test faults lint types hooks bench reproduce-quick clean help

help:
	@echo "make demo    scan the bundled slice of a real chromosome and show the best candidates"
	@echo "make test    lint, check the types, run every test and measure coverage"
	@echo "make docs    build the site of the documentation in build/docs"
	@echo "make samples run the commands that the documentation shows, and renew their output there"
	@echo "make faults  the long tests of faults and bad input, which make test leaves out"
	@echo "make types   check the types"
	@echo "make hooks   check what is committed, before each commit"
	@echo "make bench   time each stage beside its reference (JSON in benchmarks/results)"
	@echo "make reproduce-quick  train the paper's network briefly and measure it (DATA=folder of the benchmark)"
	@echo "make clean   remove the environment and what the demo wrote"

# torch goes first: later requirements are then satisfied by this build and pull no other.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "torch==2.13.0" -c constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev,docs]"
	touch $@

demo: $(VENV)/.installed
	$(BIN)/mirsweep demo -o demo_out

test: $(VENV)/.installed lint types
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal --cov --cov-report=term

docs: $(VENV)/.installed
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/docs

samples: $(VENV)/.installed
	$(BIN)/python tests/doc_samples.py

faults: $(VENV)/.installed
	$(BIN)/python benchmarks/check_faults.py --json
	$(BIN)/python -m pytest -m faults

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The folders as they lie when installed: package/ is mirsweep itself, the others are packages within it. Run from there,
# mypy names files as the repository does (but package/'s, without their folder).
TREE := build/types/mirsweep
$(TREE): $(wildcard package/*)
	mkdir -p $@
	ln -sfn $(addprefix ../../../,scanner model jobs $(filter-out package/__pycache__,$^)) $@
	touch $@

types: $(VENV)/.installed $(TREE)
	cd $(TREE) && $(CURDIR)/$(BIN)/mypy --config-file $(CURDIR)/pyproject.toml -p mirsweep
	$(BIN)/mypy $(LOOSE) benchmarks

# Benchmarks are checked for names, imports, attributes and calls only.
LOOSE := --allow-untyped-defs --allow-incomplete-defs $(addprefix --disable-error-code=,arg-type assignment \
	comparison-overlap index misc operator union-attr var-annotated)

hooks: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev,hooks]"
	$(BIN)/pre-commit install

bench: $(VENV)/.installed
	for b in start first_run prefilter fold encode score train scan query; do $(BIN)/python benchmarks/bench_$$b.py --json || exit 1; done

DATA ?= $(or $(MIRSWEEP_DATA),../shared/data)
reproduce-quick: $(VENV)/.installed
	$(BIN)/mirsweep reproduce --quick --data $(DATA) -o reproduce_out
	cat reproduce_out/accuracy.md

clean:
	rm -rf $(VENV) demo_out reproduce_out
