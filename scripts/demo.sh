#!/usr/bin/env bash
# From nothing to a trained model: what `make demo` runs once the environment is there.
#
#   DEMO_DIR=demo_output scripts/demo.sh
#
# Data set, vocabulary and records go to $DEMO_DIR/data, the model to $DEMO_DIR/model. Run again, it
# reuses what is finished and goes on with the rest.
set -euo pipefail
cd "$(dirname "$0")/.."

demo_dir=${DEMO_DIR:-demo_output}
mkdir -p "$demo_dir"
demo_dir=$(realpath "$demo_dir")
name=dev_python
export TF_CPP_MIN_LOG_LEVEL=${TF_CPP_MIN_LOG_LEVEL:-2}

echo "== 1. Data set, vocabulary and records"
scripts/build_dev_dataset.sh --from_python --data_dir "$demo_dir/data" --name "$name" \
  -- --vocab_size=4000 --validation_fraction=0.05 --test_fraction=0.05

echo
echo "== 2. Training, evaluation and completions"
python scripts/demo_train.py --data_dir="$demo_dir/data" --model_dir="$demo_dir/model" \
  --task="${name}_prefix_lm" --train_steps="${DEMO_STEPS:-300}"

cat <<NEXT

== Next
  your own repositories:  scripts/build_dev_dataset.sh --checkouts DIR --data_dir "$demo_dir/data" --name mine
  go on with the trainer: the command above with another run.train_steps and MIXTURE_NAME = 'mine_prefix_lm'
  the whole walk:         docs/gentle_introduction.md
NEXT
