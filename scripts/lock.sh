#!/usr/bin/env bash
# Writes requirements.lock from setup.py for the Pythons that pyproject.toml names ([tool.uv]).
#
#   [UV=uv] [PYTHON=INTERPRETER] scripts/lock.sh [MORE uv pip compile ARGUMENTS, as --upgrade]
#
# The versions already in the file are kept where they still fit.
set -euo pipefail
cd "$(dirname "$0")/.."
lock=requirements.lock
new=$(mktemp)
trap 'rm -f "$new"' EXIT
cp "$lock" "$new"
"${UV:-uv}" pip compile setup.py --extra train --extra hf --extra serve --extra fast --extra beam --extra dev \
  --universal --python-version 3.9 --python "${PYTHON:-python3}" --no-python-downloads \
  --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
  --quiet --output-file "$new" "$@"
{
  sed -n '/^#/p; /^[^#]/q' "$lock"
  # The parts of each marker that hold for the whole file are dropped from its lines.
  sed -E "/^#/d; s/ and (platform_machine|platform_python_implementation|sys_platform) == '[^']*'//g
    s/ and implementation_name != 'PyPy'//; s/python_full_version < '3.12'//
    s/python_full_version/python_version/g; s/== '(3\.[0-9]+)\.\*'/== '\1'/; s/ and *$//
    s/ ; *$//; s/ ; /; /" "$new"
} >"$new.lock"
mv "$new.lock" "$lock"
