#!/usr/bin/env bash
# From nothing to a page in the browser: what `make page` runs once the environment is there.
#
#   DEMO_DIR=demo_output scripts/from_code_to_page.sh [--check]
#
# The data set is that of `make demo` ($DEMO_DIR/data). The model is one of its own
# ($DEMO_DIR/page_model): it learns to complete lines, which is what the page asks for. The export
# goes to $DEMO_DIR/exports. Run again, it reuses what is finished and goes on with the rest. Ctrl-C
# ends the server. With --check (or CHECK=1) the page and one prediction are asked for, and then it
# ends.
#   DEMO_STEPS    training steps (1800)
#   DEMO_CURSORS  places at which lines are completed to evaluate (200)
#   DEMO_PORT     of the page (8501; 0 for any)
set -euo pipefail
cd "$(dirname "$0")/.."

check=${CHECK:-}
case "${1:-}" in
  "") ;;
  --check) check=1 ;;
  *)
    printf 'error: found %q; wanted --check or nothing; see the head of %s\n' "$1" "$0" >&2
    exit 1
    ;;
esac

demo_dir=${DEMO_DIR:-demo_output}
mkdir -p "$demo_dir"
demo_dir=$(realpath "$demo_dir")
data_dir=$demo_dir/data model_dir=$demo_dir/page_model exports=$demo_dir/exports
name=dev_python task=dev_python_line_completion model=dev_python_lines
python=${PYTHON:-python}
export TF_CPP_MIN_LOG_LEVEL=${TF_CPP_MIN_LOG_LEVEL:-2}

echo "== 1. Data set, vocabulary and records"
scripts/build_dev_dataset.sh --from_python --data_dir "$data_dir" --name "$name" \
  -- --vocab_size=4000 --validation_fraction=0.05 --test_fraction=0.05

echo
echo "== 2. Training"
# train.sh gives every Task of lines lengths by its size; these are those of runs/dev_lines.gin.
lengths="utils.run.sequence_length = {'inputs': 64, 'targets': 24}"
scripts/train.sh "$task" dev cpu_1 --data_dir "$data_dir" --model_dir "$model_dir" \
  --train_steps "${DEMO_STEPS:-1800}" \
  -- --gin_file=runs/dev_lines.gin --gin_param="$lengths"

echo
echo "== 3. Evaluation on repositories that were not trained on"
"$python" scripts/evaluate.py --model_dir "$model_dir" --data_dir "$data_dir" \
  --num_cursors "${DEMO_CURSORS:-200}" --num_examples 256

echo
echo "== 4. Export"
step=$(sed -nE 's/^model_checkpoint_path: ".*model\.ckpt-([0-9]+)"$/\1/p' "$model_dir/checkpoint")
if [ -e "$exports/$model/$step/COMPLETED" ]; then
  echo "step $step is exported already"
else
  "$python" scripts/export.py "$model_dir" --format saved_model --output_dir "$exports" \
    --name "$model" --data_dir "$data_dir" --num_candidates 5 --max_new_tokens 24 \
    --stop_at_newline
fi

echo
echo "== 5. Page"
if [ -n "$check" ]; then
  show=(--check --port 0)
else
  show=(--open --port "${DEMO_PORT:-8501}")
  echo "Ctrl-C ends it"
fi
exec "$python" scripts/serve.py --model "$exports/$model" --version "$step" "${show[@]}"
