# make run    one simulated session, from pre-market to review, on embedded defaults; SESSIONS=2 goes on with the next
# make run FAULTS=1  the same day on an emulated Alpaca where things go wrong, with what came of each
# make run-claude  the same day with Claude in the analyst's chair: the real claude binary, a scripted model, no key, no network
# make test   everything the tests need, then the tests
# make check  lint, types, import floors
# make bench  figures

PYTHON ?= python3
BIN := .venv/bin
SESSIONS ?= 1

.PHONY: install install-dev run run-claude test check bench clean

install: .venv/.installed

install-dev: .venv/.installed-dev node_modules/.installed

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

node_modules/.installed: package.json package-lock.json
	command -v npm >/dev/null || { echo "npm is needed for the claude binary: install Node.js 20 or newer"; exit 1; }
	npm ci --silent --no-audit --no-fund
	node_modules/.bin/claude --version || { echo "the claude binary does not start: npm has to install optional dependencies, and this platform has to have one"; exit 1; }
	touch $@

run: install
	$(BIN)/python -m trading_bot orchestrator --fast --sessions $(SESSIONS) $(if $(filter-out 0,$(FAULTS)),--faults)

run-claude: install node_modules/.installed
	$(BIN)/python scripts/run_claude.py

test: install-dev check
	$(BIN)/python -m pytest -n 3

check: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: install-dev .venv-peers/.installed
	$(BIN)/python scripts/bench.py

.venv-peers/.installed: scripts/peers.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check -r scripts/peers.txt
	touch $@

clean:
	rm -rf .venv .venv-peers node_modules var-claude build dist src/*.egg-info .mypy_cache .ruff_cache .hypothesis
