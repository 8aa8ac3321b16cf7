"""What is loaded for a proof, and what came of it.

A *part* is one thing that a program would load: of a model its config, tokenizer and weights; of a
data set by `datasets` itself and by `code_t5.hf_artifacts.load_dataset`. A *verdict* is `yes`, `no`
or `-` (there is nothing to load); behind `no: ` and `yes: ` stands what there is to say.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from code_t5.hf_artifacts.requests import ArtefactRequest, request_from_json

YES, NO, NOTHING = "yes", "no", "-"
DEFAULT_SECONDS = 3600.0
# Of a data set: what the plain library says does not decide, for ours reads what it cannot.
PLAIN_PART, OWN_PART = "datasets", "code_t5"
_LABELS = {(PLAIN_PART, NO): "not by `datasets` itself", (OWN_PART, YES): "rows"}


@dataclasses.dataclass(frozen=True)
class LoadTarget:
    """One artefact to load.

    Attributes:
      request: As a program asks for it.
      commit: Which it should be; empty if nobody knows.
      splits: Of a data set: number of rows by split, by configuration; none where nobody knows.
      may_run: Of a metric: whether its script may be run.
      seconds: The longest that loading it may take.
      is_recorded: Whether precache chose its files; of other models, weights must be among them.
    """

    request: ArtefactRequest
    commit: str = ""
    splits: Mapping[str, Mapping[str, int]] = dataclasses.field(default_factory=dict)
    may_run: bool = False
    seconds: float = DEFAULT_SECONDS
    is_recorded: bool = True

    @property
    def configs(self) -> tuple[str | None, ...]:
        """The configurations to load; None for the only one."""
        return self.request.configs or tuple(self.splits) or (None,)

    def as_json(self) -> dict[str, Any]:
        """Returns the target as JSON values."""
        splits = {config: dict(rows) for config, rows in self.splits.items()}
        fields = {"request": self.request.as_json(), "splits": splits, "commit": self.commit}
        how = {"may_run": self.may_run, "seconds": self.seconds, "is_recorded": self.is_recorded}
        return {**fields, **how}


def target_from_json(fields: Mapping[str, Any]) -> LoadTarget:
    """Returns the target that `as_json` gave.

    Args:
      fields: JSON values.
    """
    return LoadTarget(**{**fields, "request": request_from_json(fields["request"])})


@dataclasses.dataclass(frozen=True)
class Proof:
    """What came of loading one artefact.

    Attributes:
      target: Which.
      parts: The verdict on each part.
      wants_network: Whether a part asked for something that is not cached.
      fence: What kept the network away (`network_fence`); empty if nothing did.
    """

    target: LoadTarget
    parts: Mapping[str, str]
    wants_network: bool = False
    fence: str = ""

    @property
    def loads(self) -> str:
        """The verdict on all of it: `yes`, `no` or `-`."""
        deciding = [verdict for part, verdict in self.parts.items() if part != PLAIN_PART]
        if any(verdict.startswith(NO) for verdict in deciding):
            return NO
        return YES if any(verdict.startswith(YES) for verdict in deciding) else NOTHING

    @property
    def is_good(self) -> bool:
        """Whether nothing that there is failed to load."""
        return self.loads != NO

    @property
    def is_plainly_good(self) -> bool:
        """Whether the plain libraries load it as well."""
        return self.is_good and not self.parts.get(PLAIN_PART, "").startswith(NO)

    @property
    def reason(self) -> str:
        """What there is to say, in one line; empty if there is nothing."""
        told = []
        for part, verdict in self.parts.items():
            word, _, text = verdict.partition(": ")
            if text and not (part == PLAIN_PART and word == YES):
                told.append(
                    (word != NO, part == PLAIN_PART, f"{_LABELS.get((part, word), part)}: {text}")
                )
        return "; ".join(text for *_, text in sorted(told, key=lambda entry: entry[:2]))


def failed_proof(target: LoadTarget, reason: str) -> Proof:
    """Returns the proof of something that could not be tried.

    Args:
      target: Which.
      reason: Why.
    """
    return Proof(target, {"loading": f"{NO}: {reason}"})
