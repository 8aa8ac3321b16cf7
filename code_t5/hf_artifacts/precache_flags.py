"""The flags of `scripts/precache.py`, and what they ask for."""

from __future__ import annotations

import functools

from absl import flags

from code_t5 import errors
from code_t5.hf_artifacts import cache_root, requests, spec
from code_t5.hf_artifacts.precache_config import PrecacheConfig
from code_t5.hf_artifacts.requests import ArtefactRequest

LIST_FLAGS = ("wikiann_langs", "models")
DEFAULT_REVISION = "refs/convert/parquet"
_DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
# What is asked for by default, and the flag that says more of it.
_KINDS = {"conll2003": "revision", "wikiann": "wikiann_langs", "models": "models"}


def define_flags(values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines the flags; call it once, before they are parsed.

    Args:
      values: Gets them.
    """
    string = functools.partial(flags.DEFINE_string, default=None, flag_values=values)
    yes_or_no = functools.partial(flags.DEFINE_boolean, default=False, flag_values=values)
    several = functools.partial(flags.DEFINE_list, flag_values=values)
    string("cache_dir", help="The cache; by default an existing HF_HOME, else ~/hf-cache.")
    several("models", [_DEFAULT_MODEL], "Models: config, tokenizer and weights of each.")
    several("wikiann_langs", ["en"], "Languages of WikiANN.")
    string("revision", default=DEFAULT_REVISION, help="Of CoNLL-2003.")
    string("spec", help="YAML file of models, data sets and metrics, in place of the three.")
    yes_or_no("no_conll2003", help="Leaves CoNLL-2003 out.")
    yes_or_no("no_wikiann", help="Leaves WikiANN out.")
    yes_or_no("no_models", help="Leaves the models out.")
    yes_or_no("no_verify", help="Does not hash again nor load what was fetched.")
    yes_or_no("dry_run", help="Writes nothing: says what would be fetched, and its size.")
    flags.DEFINE_integer(
        "num_workers", 8, "Files fetched at once.", lower_bound=1, flag_values=values
    )
    flags.DEFINE_float(
        "wait_minutes",
        60.0,
        "How long to wait for another job that fetches the same.",
        lower_bound=0.0,
        flag_values=values,
    )


def read_flags(values: flags.FlagValues = flags.FLAGS) -> PrecacheConfig:
    """Returns what the flags ask for.

    Args:
      values: The flags.

    Raises:
      InputError: They do not fit together, or the YAML file is none.
    """
    given = values.flag_values_dict()
    chosen = list(spec.read_spec(given["spec"])) if given["spec"] is not None else []
    for request in _read_requests(values):
        if request not in chosen:
            chosen.append(request)
    if not chosen:
        raise errors.InputError(
            "nothing is left to fetch; wanted at least one of CoNLL-2003, WikiANN and the models; "
            "leave one of --no_conll2003, --no_wikiann and --no_models out, or give --spec"
        )
    return PrecacheConfig(
        root=cache_root.root_of_flag(given["cache_dir"]),
        requests=tuple(chosen),
        verifies=not given["no_verify"],
        is_dry_run=given["dry_run"],
        num_workers=given["num_workers"],
        wait_seconds=60.0 * given["wait_minutes"],
    )


def _read_requests(values: flags.FlagValues) -> list[ArtefactRequest]:
    """Returns what is asked for beside the YAML file.

    Raises:
      InputError: Something is asked for and left out, or cannot be a repository.
    """
    given, found = values.flag_values_dict(), []
    for kind, flag in _KINDS.items():
        is_named = values[flag].present
        if given[f"no_{kind}"]:
            if is_named:
                raise errors.InputError(
                    f"--{flag} was given with --no_{kind}; wanted one of both; leave one out"
                )
        elif is_named or given["spec"] is None:
            found += [(flag, request) for request in _requests_of(kind, given[flag])]
    for flag, request in found:
        fault = requests.find_fault(request)
        if fault:
            raise errors.InputError(f"--{flag}: {fault}")
    return [request for _, request in found]


def _requests_of(kind: str, value: str | list[str]) -> list[ArtefactRequest]:
    if isinstance(value, str):
        return [ArtefactRequest("dataset", "conll2003", revision=value or None)]
    words = [word for word in dict.fromkeys(value) if word]
    if kind == "wikiann":
        # One for each language: what is there already is not fetched for another one's sake.
        return [ArtefactRequest("dataset", "wikiann", configs=(word,)) for word in words]
    return [ArtefactRequest("model", word) for word in words]
