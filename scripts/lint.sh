#!/usr/bin/env bash
# Runs the checks that need no test run: ruff, the format, mypy, the house's own rules.
# Uses the tools of the environment that comes first on PATH.
set -euo pipefail
cd "$(dirname "$0")/.."
python -m ruff check .
python -m ruff format --check .
python -m mypy
python -m pytest -q tests/test_architecture.py tests/test_house_rules.py
