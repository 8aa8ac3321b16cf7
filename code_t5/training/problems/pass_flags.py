"""The flags of `scripts/pass_at_k.py`, and what they ask for."""

from __future__ import annotations

import pathlib

from absl import flags

from code_t5 import errors, parallel
from code_t5.training.completing.completer import DecodingOptions
from code_t5.training.problems.fence import FenceLimits
from code_t5.training.problems.passing import PassConfig

_PROBLEMS = flags.DEFINE_string(
    "problems", None, "Problems as HumanEval or MBPP writes them; may be .gz.", required=True
)
_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Gets everything.", required=True)
_K = flags.DEFINE_list("k", ["1"], "Programs drawn for each problem: -k 1,10.")
_SAMPLES = flags.DEFINE_string("samples", None, "A file of samples, in place of a model.")
_MODEL_DIR = flags.DEFINE_string("model_dir", None, "The model that writes samples.")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Where the model's data set was built.")
_STEP = flags.DEFINE_integer("step", None, "The checkpoint's step; the newest if not given.")
_NUM_SAMPLES = flags.DEFINE_integer("num_samples", 10, "Samples for each problem.", lower_bound=1)
_TEMPERATURE = flags.DEFINE_float("temperature", 0.8, "Of the drawing; 0 takes the likeliest.")
_TOP_P = flags.DEFINE_float("top_p", 0.95, "Share of probability that is drawn from.")
_TOP_K = flags.DEFINE_integer("top_k", 0, "Draw among so many tokens; 0 for all.")
_MAX_TOKENS = flags.DEFINE_integer("max_tokens", 256, "Most tokens of a sample.")
_SEED = flags.DEFINE_integer("seed", 0, "Of the drawing.")
_CHALLENGES = flags.DEFINE_bool("challenge_tests", False, "MBPP's challenge tests must hold too.")
_SECONDS = flags.DEFINE_float("timeout_s", 10.0, "Most seconds of a program.", lower_bound=0.1)
_MEMORY = flags.DEFINE_integer("memory_mib", 1024, "Most memory of a program.", lower_bound=64)
_PROCESSES = flags.DEFINE_integer("max_processes", 16, "Of a program.", lower_bound=1)
_WORKERS = flags.DEFINE_integer("num_workers", 0, "Programs at a time; 0: one per processor.")
_WEAKER = flags.DEFINE_bool(
    "allow_weaker_fence", False, "Run generated code where a part of the fence is missing."
)


def config() -> PassConfig:
    """Returns what the flags ask for.

    Raises:
      InputError: A value is out of range.
    """
    if not all(k.strip().isdigit() for k in _K.value):
        raise errors.InputError(
            f"-k is {','.join(_K.value)!r}; wanted whole numbers; give -k 1,10 for example"
        )
    return PassConfig(
        problems_path=pathlib.Path(_PROBLEMS.value),
        output_dir=pathlib.Path(_OUTPUT_DIR.value),
        ks=tuple(int(k) for k in _K.value),
        samples_path=pathlib.Path(_SAMPLES.value) if _SAMPLES.value else None,
        model_dir=pathlib.Path(_MODEL_DIR.value) if _MODEL_DIR.value else None,
        data_dir=pathlib.Path(_DATA_DIR.value) if _DATA_DIR.value else None,
        step=_STEP.value,
        num_samples=_NUM_SAMPLES.value,
        options=DecodingOptions(
            max_new_tokens=_MAX_TOKENS.value,
            temperature=_TEMPERATURE.value,
            top_k=_TOP_K.value,
            top_p=_TOP_P.value,
            seed=_SEED.value,
        ),
        limits=FenceLimits(
            wall_seconds=_SECONDS.value,
            memory_bytes=_MEMORY.value << 20,
            max_processes=_PROCESSES.value,
            allow_weaker=_WEAKER.value,
        ),
        with_challenges=_CHALLENGES.value,
        num_workers=_WORKERS.value or parallel.default_num_workers(),
    )
