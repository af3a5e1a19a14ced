# The README's commands. Everything happens in .venv; nothing is installed elsewhere.
PYTHON ?= python3
BIN := .venv/bin
# Two test files at a time, each whole on one worker because its tests share what they have computed.
PARALLEL := --numprocesses 2 --dist loadfile

.PHONY: demo test test-all lint format env clean

env: .venv/.ready

.venv/.ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one with make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: env
	$(BIN)/sweepengine run jobs/quickstart.yaml
	$(BIN)/sweepengine run jobs/particles.yaml

test: env
	$(BIN)/python -m pytest -m "not slow" $(PARALLEL)

test-all: env
	$(BIN)/python -m pytest $(PARALLEL)

lint: env
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: env
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf .venv results
