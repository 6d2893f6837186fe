# make demo   LeNet on FashionMNIST from training to the simulated engine, set-up included
# make test   the whole test suite
# make venv   the set-up alone

PYTHON ?= python3
BIN := .venv/bin
DEMO ?= configs/lenet_fashionmnist.yaml
NO_DATA := 4

ifneq ($(wildcard ../shared/data),)
export CNNACCEL_DATA ?= $(abspath ../shared/data)
endif

.PHONY: demo test test-slow venv clean

demo: .venv/installed
	@network=$(DEMO); $(BIN)/cnnaccel run $$network; code=$$?; \
	if [ $$code -eq $(NO_DATA) ]; then \
	  network=configs/lenet_digits.yaml; \
	  echo "FashionMNIST is not to be had here: running $$network instead"; \
	  $(BIN)/cnnaccel run $$network; code=$$?; \
	fi; \
	[ $$code -eq 0 ] || exit $$code; $(BIN)/cnnaccel report $$network

test: .venv/installed-test
	$(BIN)/python -m pytest

test-slow: .venv/installed-test
	$(BIN)/python -m pytest -m slow --hypothesis-profile=sweep

venv: .venv/installed

.venv/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[check]'
	touch $@

.venv/installed-test: .venv/installed
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	tests/install-tools
	touch $@

clean:
	rm -rf .venv build dist *.egg-info
