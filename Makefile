# A fresh machine with Python 3.11 or newer and make needs nothing else.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
# The packages as they are when installed, for tools that know nothing of pyproject's package-dir.
LAYOUT := $(VENV)/layout
NETWORKS ?= 1000
SEED ?= 1000
WORKERS ?= auto

.PHONY: test chip demo examples fuzz lint generated goldens documentation bench mutants clean

# One thread of linear algebra for each worker: more of them wait for each other.
test fuzz: export OPENBLAS_NUM_THREADS = 1
test fuzz: export OMP_NUM_THREADS = 1

test: $(VENV)/test
	$(RUN) -m pytest -n $(WORKERS) -q

# One thread of linear algebra: the matrices are small, and more threads wait for each other.
demo examples: export OPENBLAS_NUM_THREADS = 1

demo: $(VENV)/test
	$(RUN) -m demo.regularisation
	$(RUN) -m demo.sunspots
	$(RUN) -m demo.characters --code --cells lstm --rules adam --epochs 2

# All examples at full length, with the pictures of docs/training.md: half an hour.
examples: $(VENV)/test
	for name in regularisation sunspots maglev memory characters; do \
		$(RUN) -m demo.$$name --pictures docs/pictures || exit 1; done

# As many random networks as one asks: make fuzz NETWORKS=5000 SEED=10000
fuzz: $(VENV)/test
	BPTT_NETWORKS=$(NETWORKS) BPTT_FIRST_SEED=$(SEED) \
		$(RUN) -m pytest -n $(WORKERS) -q tests/test_random_networks.py tests/test_wide_networks.py

# C code on an emulated Cortex-M4: needs gcc-arm-none-eabi and qemu-system-arm.
chip: $(VENV)/test
	$(RUN) -m pytest -n $(WORKERS) -q tests/test_chip.py

# Remake what generated/ holds; the tests compare it byte for byte.
generated: $(VENV)/test
	for file in generated/*.toml; do $(VENV)/bin/bptt generate $$file -o generated --force || exit 1; done

# Remake the printed equations that tests compare with, and the pages of docs/.
goldens: $(VENV)/test
	BPTT_GOLDENS=1 $(RUN) -m pytest -q tests/test_reading.py -k goldens

documentation: $(VENV)/test
	$(RUN) -m docs.make

lint: $(VENV)/lint
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	rm -rf $(LAYOUT) && mkdir -p $(LAYOUT)/bptt
	ln -s $(CURDIR)/bptt/* $(CURDIR)/derive $(CURDIR)/codegen $(LAYOUT)/bptt
	cd $(LAYOUT) && ../bin/mypy --config-file ../../pyproject.toml

$(VENV)/bin/pip:
	$(PYTHON) -m venv $(VENV)

$(VENV)/test: $(VENV)/bin/pip pyproject.toml
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --editable ".[plots,test]"
	touch $@

$(VENV)/lint: $(VENV)/test
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --editable ".[lint]"
	touch $@

# Times gradients and Jacobians beside NumPy by hand, and beside PyTorch, JAX and pyrenn as far as
# they are installed in the environment.
bench: $(VENV)/test
	$(RUN) -m bench.speed
	OPENBLAS_NUM_THREADS=1 $(RUN) -m bench.jacobians

# Every slip at every place of every right claim: is it seen, and is it mended?
mutants: $(VENV)/test
	$(RUN) -m bench.mutants --repairs 6

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
