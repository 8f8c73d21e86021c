# make demo and make test set everything up first: a virtual environment in .venv and nothing else.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.locked

.PHONY: demo test test-slow bench lint serve setup

demo: setup
	@$(BIN)/headwater demo

test: setup
	@$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile

test-slow: setup
	@$(BIN)/pytest -m slow

bench: setup
	@$(BIN)/python -m bench

lint: setup
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

serve: setup
	@$(BIN)/headwater serve

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Headwater needs Python 3.11, 3.12 or 3.13")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing locked dependencies into .venv (once)"
	@$(BIN)/python -m pip --quiet --disable-pip-version-check install --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip --quiet --disable-pip-version-check install --no-deps --no-build-isolation --editable .
	@touch $(STAMP)
