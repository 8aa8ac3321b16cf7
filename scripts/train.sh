#!/usr/bin/env bash
# Trains a model on a Task, in a size, on a mesh.
#
#   scripts/train.sh TASK SIZE MESH [--data_dir DIR] [--model_dir DIR] [-- more trainer flags]
#
#   scripts/train.sh dev_python_prefix_lm dev cpu_1
#   scripts/train.sh dev_python small gpu_4 --train_steps 50000 -- --gin_param="dropout_rate = 0.1"
#
# DATA_DIR and MODEL_DIR may be set in the environment instead; --help lists the flags. PYTHON names
# the interpreter (default: .venv/bin/python of the project if there, else python).
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-}
if [ -z "$python" ]; then
  python=python
  [ ! -x "$root/.venv/bin/python" ] || python=$root/.venv/bin/python
fi
if ! command -v "$python" >/dev/null; then
  printf 'error: found no interpreter %s; wanted Python 3.9 to 3.11; run make environment, or set PYTHON\n' \
    "$python" >&2
  exit 1
fi
exec "$python" "$root/scripts/train.py" "$@"
