r"""Encodes a data set once, for reading at any sequence length from every framework.

    python scripts/build_token_cache.py --dataset_name glue --dataset_config_name sst2 \
        --tokenizer_name gpt2 --mapping_column_name sentence --cache_dir cache/glue-sst2-gpt2
    python scripts/build_token_cache.py --flcc_data_dir DATA_DIR --flcc_name NAME --cache_dir DIR
    python scripts/build_token_cache.py --cache_dir DIR --verify

The same command goes on where an interrupted one stopped. `docs/token_cache.md` says more.
"""

from __future__ import annotations

from collections.abc import Sequence

from absl import app, flags

from code_t5 import command_line
from code_t5.token_cache import build_flags, provider_build, verify
from code_t5.token_cache.building import build, estimate


def main(argv: Sequence[str]) -> None:
    """Builds, estimates or verifies, and prints what there is.

    Args:
      argv: Nothing but the program's name.

    Raises:
      UsageError: There is more.
    """
    if len(argv) > 1:
        raise app.UsageError(f"{argv[1]!a} is no flag; wanted --NAME=VALUE")
    if flags.FLAGS.verify:
        lines = list(map(verify.describe, verify.verify_cache(build_flags.cache_path())))
        lines.append(f"{flags.FLAGS.cache_dir}: all of it is as it was written")
    elif flags.FLAGS.estimate:
        request = build_flags.read_flags()
        with request.opened() as (source, tokenizer):
            found = estimate.estimate(source, tokenizer=tokenizer, config=request.config)
        lines = estimate.describe(found)
    else:
        lines = build.describe(provider_build.open_or_build(build_flags.read_flags()))
    print("\n".join(lines))


if __name__ == "__main__":
    build_flags.define_flags()
    # Makes `--help` list them.
    flags.adopt_module_key_flags(build_flags)
    command_line.run(main)
