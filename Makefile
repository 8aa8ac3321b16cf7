# `make help` says what there is. PYTHON names the interpreter (3.9 to 3.11), VENV the
# environment's place, DEMO_DIR where the demo puts its data set and model.
SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV ?= .venv
PYTHON ?=
DEMO_DIR ?= demo_output
UV ?= uv
# Puts the environment's programs first; scripts that start Python read PYTHON.
ENTER = export PATH="$$(realpath "$(VENV)")/bin:$$PATH" PYTHON=python;

# Words of the pytest command, shared with .ci/run (a test compares the two). Two processes, each
# with whole files, so that what a file's tests share is made once.
TESTS := tests -m "not slow" -n 2 --dist loadfile

.PHONY: help
help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile

.PHONY: environment
environment: ## Make .venv from requirements.lock, or leave it alone where it is up to date
	@PYTHON="$(PYTHON)" scripts/make_environment.sh "$(VENV)"

.PHONY: demo
demo: environment ## From nothing to a trained model: data set, vocabulary, records, training, completions
	@$(ENTER) DEMO_DIR="$(DEMO_DIR)" scripts/demo.sh

.PHONY: page
page: environment ## A model of its own on the demo data set, evaluated, exported and served: ends with the page open on loopback
	@$(ENTER) DEMO_DIR="$(DEMO_DIR)" scripts/from_code_to_page.sh

.PHONY: test
test: environment ## Run everything that must hold and is quick
	@$(ENTER) python -m pytest $(TESTS)

.PHONY: test-slow
test-slow: environment ## Run the tests that take minutes
	@$(ENTER) python -m pytest tests -m slow

.PHONY: lint
lint: environment ## ruff, the format, mypy, and the house's own rules
	@$(ENTER) scripts/lint.sh

.PHONY: check
check: lint test ## All of the above but the slow tests

.PHONY: lock
lock: environment ## Write requirements.lock anew from setup.py (needs uv; keeps the versions that still fit)
	@$(ENTER) UV="$(UV)" scripts/lock.sh

.PHONY: clean
clean: ## Remove what make made in this checkout (a DEMO_DIR or VENV elsewhere stays)
	@rm -rf .venv demo_output build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
	@find code_t5 preprocessing scripts benchmarks tests -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
