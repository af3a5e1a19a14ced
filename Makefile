# The README's commands. Everything happens in .venv; nothing is installed elsewhere.
PYTHON ?= python3
BIN := .venv/bin
# Two test files at a time, each whole on one worker because its tests share what they have computed.
PARALLEL := --numprocesses 2 --dist loadfile

.PHONY: demo test test-all lint format docs notebooks package bench bench-peers s3-server env clean

env: .venv/.ready

.venv/.ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	  "Python 3.11 or newer is needed; name one with make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

# An S3 server for the tests, apart: moto needs an older python-dateutil than constraints.txt has.
s3-server: .s3-server/.ready

.s3-server/.ready: tests/support/s3-server.txt
	$(PYTHON) -m venv .s3-server
	.s3-server/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

demo: env
	$(BIN)/sweepengine run jobs/quickstart.yaml
	$(BIN)/sweepengine run jobs/particles.yaml

# Runs the notebooks, draws the gallery, and writes an .ipynb beside each (git ignores them).
notebooks: env
	$(BIN)/python -m tests.support.notebooks --pictures docs/gallery
	$(BIN)/jupytext --quiet --to ipynb analysis/notebooks/*.py

test: env s3-server
	$(BIN)/python -m pytest -m "not slow" $(PARALLEL)

test-all: env s3-server
	$(BIN)/python -m pytest $(PARALLEL)

lint: env
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: env
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# The site, in build/site; its pages open as files. Warnings are errors.
docs: env
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going docs build/site

# What users install, tried as they install it: the source archive, in an environment of its own.
package: env
	rm -rf build/package
	$(BIN)/hatchling build --target sdist --target wheel --directory build/package
	$(PYTHON) -m venv build/package/.venv
	build/package/.venv/bin/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt build/package/*.tar.gz
	cd build/package && .venv/bin/sweepengine run quickstart

# Ratios of one run each (docs/performance.md); a quarter of an hour on two cores.
bench: env
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/networks_training.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/networks_kernel.py
	$(BIN)/python benchmarks/theory_kernels.py
	$(BIN)/python benchmarks/particles_step.py
	$(BIN)/python benchmarks/product.py

.peers/.ready: benchmarks/peers/requirements.txt
	$(PYTHON) -m venv .peers
	.peers/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

.peers/.ready-nt: benchmarks/peers/requirements-nt.txt
	$(PYTHON) -m venv .peers/nt
	.peers/nt/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

bench-peers: .peers/.ready .peers/.ready-nt
	.peers/bin/python benchmarks/peers/network_jax.py
	.peers/bin/python benchmarks/peers/network_jax.py --threads 2
	.peers/bin/python benchmarks/peers/kernel_jax.py
	.peers/nt/bin/python benchmarks/peers/theory_nt.py

clean:
	rm -rf .venv .peers .s3-server build results
