# Recipes that people and CI call; each is one command. PYTHON chooses the interpreter.
PYTHON ?= python

.PHONY: test conformance lint types bench demo ci

test:
	$(PYTHON) -m pytest

conformance:
	$(PYTHON) -m pytest tests/conformance

lint:
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m pytest -q tests/test_layers.py

types:
	$(PYTHON) -m mypy

bench:
	$(PYTHON) -m benchmarks

demo:
	millimorph demo

ci:
	.ci/run
