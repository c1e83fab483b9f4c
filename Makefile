# make run    one simulated session, from pre-market to review, on embedded defaults; SESSIONS=2 goes on with the next
# make test   everything the tests need, then the tests
# make check  lint, types, import floors
# make bench  figures

PYTHON ?= python3
BIN := .venv/bin
SESSIONS ?= 1

.PHONY: install install-dev run test check bench clean

install: .venv/.installed

install-dev: .venv/.installed-dev

.venv/.installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	$(BIN)/python -m compileall -q src
	touch $@

.venv/.installed-dev: .venv/.installed requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

run: install
	$(BIN)/python -m trading_bot orchestrator --fast --sessions $(SESSIONS)

test: install-dev check
	$(BIN)/python -m pytest -n 2

check: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: install-dev
	$(BIN)/python scripts/bench.py

clean:
	rm -rf .venv build dist src/*.egg-info .mypy_cache .ruff_cache .hypothesis
