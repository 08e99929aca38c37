# Every target does its own set-up: what it needs from apt (tools/apt-packages.sh), a virtual
# environment in .venv, the extension in place, built again when its sources change.
#   make test ARGS="-k redirect"                   arguments for pytest
#   make test JOBS=0                               in one process; most of the time tests wait
#   make test PYTHON=python3.13 VENV=.venv-3.13    another Python, beside the default one
#   make test PYTHON=python3.14t VENV=.venv-3.14t TESTS=test-free-threaded    one without a GIL

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
TESTS ?= test
JOBS ?= 4
URL ?=
CELL ?=

bin := $(VENV)/bin
apt := PYTHON=$(PYTHON) tools/apt-packages.sh
sources := build_ffi.py src/libcurl/symbols.py $(wildcard src/libcurl/_native/*)

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 14

demo: $(VENV)/built ## show the socket callbacks at work (URL=https://... for a server of yours)
	$(bin)/python examples/demo.py $(URL)

test: $(VENV)/built $(VENV)/apt-test $(VENV)/pip-$(TESTS) ## the test suite, without the long tests
	$(bin)/pytest -n $(JOBS) $(ARGS)

conformance: $(VENV)/built $(VENV)/apt-test $(VENV)/apt-packaging ## pycurl's own test suite, against the drop-in
	$(bin)/python tests/conformance/run.py $(ARGS)

slow: $(VENV)/built $(VENV)/apt-test $(VENV)/apt-packaging $(VENV)/pip-test $(VENV)/pip-packaging ## the long tests: packaging, programs that use pycurl, repetitions
	PYTHON=$(bin)/python tools/libcurls.sh
	$(bin)/pytest -n $(JOBS) --dist loadfile --timeout 900 -m slow $(ARGS)

valgrind: $(VENV)/built $(VENV)/apt-test $(VENV)/apt-valgrind $(VENV)/pip-test ## a part of the tests under memcheck
	$(bin)/python tools/memcheck.py $(ARGS)

check: $(VENV)/built $(VENV)/pip-check ## formatting, lint, types
	$(bin)/ruff format --check
	$(bin)/ruff check
	$(bin)/mypy
	$(bin)/pyright --pythonpath $(bin)/python

bench: ## measure against C, pycurl and others: half an hour (ARGS="--job a,g --client native,pycurl --quick")
	PIP_NO_BINARY=pycurl $(MAKE) VENV=$(VENV)-bench $(VENV)-bench/apt-bench $(VENV)-bench/pip-bench $(VENV)-bench/measured
	-PIP_NO_BINARY=pycurl $(MAKE) VENV=$(VENV)-bench-system PYTHON=/usr/bin/python3 $(VENV)-bench-system/measured
	$(VENV)-bench/bin/python bench/run.py --also $(VENV)-bench-system/bin/python $(ARGS)

matrix: $(VENV)/venv $(VENV)/apt-test $(VENV)/apt-matrix ## one wheel on other Pythons and libcurls (CELL=pypy picks; CELL=list)
	$(bin)/python tools/matrix.py $(CELL)

wheel: $(VENV)/venv ## a wheel, in dist
	rm -rf build dist
	$(bin)/python -m pip wheel --no-deps --wheel-dir dist .

clean: ## remove what was built and the virtual environments, but not what was fetched (.cache)
	rm -rf build dist $(VENV) .cache/matrix .mypy_cache .pytest_cache .ruff_cache
	rm -rf src/*.egg-info src/libcurl/_native.*.so
	find src tests tools examples -name __pycache__ -prune -exec rm -rf {} +

# Each of these files says that something was done; its date says when.
$(VENV)/venv: tools/apt-packages.sh
	$(apt) build run
	$(PYTHON) -m venv $(VENV)
	$(bin)/python -m pip install --quiet --upgrade pip
	@touch $@

$(VENV)/pip-%: $(VENV)/venv pyproject.toml
	$(bin)/python -m pip install --quiet --group $*
	@touch $@

$(VENV)/apt-%: $(VENV)/venv
	$(apt) $*
	@touch $@

$(VENV)/built: $(VENV)/pip-build $(sources)
	$(bin)/python -m pip install --quiet --no-build-isolation --editable .
	@touch $@

# What is measured is a wheel, not the sources in place, which may be built again meanwhile.
$(VENV)/measured: $(VENV)/pip-build $(VENV)/apt-bench $(VENV)/pip-pycurl $(sources) $(shell find src -name '*.py')
	$(bin)/python -m pip install --quiet --no-build-isolation --no-deps --force-reinstall .
	@touch $@

.DEFAULT_GOAL := help
.PHONY: help demo test conformance slow valgrind check bench matrix wheel clean
.DELETE_ON_ERROR:
.PRECIOUS: $(VENV)/venv $(VENV)/pip-% $(VENV)/apt-%
