"""Says whether a checkpoint fits a model, in the words of whoever chose the model.

A *slot* is what the optimizer remembers of a weight; mesh-tensorflow keeps it under the weight's
name with `_slot_<kind>` behind it. A *fact* is a number that a gin file sets, read off the shapes
of the weights: layers, width and so on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

from code_t5 import errors

Shapes = Mapping[str, tuple[int, ...]]
_SLOT = re.compile(r"_slot_([a-z]+)$")
_LAYER = re.compile(r"^(\w+)/(?:block|layer)_(\d+)/")
# Which gin parameter each axis of a weight is; the last part of its name decides.
_AXES = {
    "embedding": ("vocabulary", "width"),
    "wi/kernel": ("width", "d_ff"),
    "wi_0/kernel": ("width", "d_ff, gated"),
    "SelfAttention/q": ("width", "heads x d_kv"),
    "relative_attention_bias": ("heads", "position buckets"),
}
_ORDER = ("layers", "width", "d_ff", "heads", "vocabulary")


def _weights(names: Iterable[str]) -> set[str]:
    return {name for name in names if not _SLOT.search(name)}


def _slot_kinds(names: Iterable[str]) -> str:
    kinds = sorted({found[1] for found in map(_SLOT.search, names) if found})
    return ", ".join(kinds) or "none"


def facts(shapes: Shapes) -> dict[str, str]:
    """Returns the facts of a model.

    Args:
      shapes: Its variables.

    Returns:
      Values by fact, those that are best known first.

    >>> facts({"shared/embedding": (4224, 128), "decoder/block_000/layer/x": (1,)})
    {'layers': '1 (decoder)', 'width': '128', 'vocabulary': '4,224 rows'}
    """
    layers: dict[str, set[str]] = {}
    found: dict[str, str] = {}
    for name in sorted(_weights(shapes)):
        layer = _LAYER.match(name)
        if layer:
            layers.setdefault(layer[1], set()).add(layer[2])
        for end, axes in _AXES.items():
            if name.endswith(f"/{end}") and len(shapes[name]) == len(axes):
                for axis, size in zip(axes, shapes[name]):
                    rows = " rows" if axis == "vocabulary" else ""
                    found.setdefault(axis, f"{size:,}{rows}" if rows else str(size))
    if layers:
        found["layers"] = ", ".join(f"{len(ids)} ({stack})" for stack, ids in layers.items())
    order = [key for key in _ORDER if key in found]
    return {key: found[key] for key in [*order, *sorted(set(found) - set(order))]}


def num_parameters(shapes: Shapes) -> int:
    """Returns how many numbers a model learns: its weights, without slots and counters."""
    return sum(math.prod(shapes[name]) for name in _weights(shapes) if shapes[name])


def check_fits(held: Shapes, *, asked: Shapes, prefix: str, what_to_do: str) -> str:
    """Refuses a checkpoint that is another model's.

    Args:
      held: Variables of the checkpoint.
      asked: Variables of the model that is to go on from it.
      prefix: The checkpoint's, `<model_dir>/model.ckpt-<step>`.
      what_to_do: The end of the message.

    Returns:
      A warning in one line about slots that nobody asked for, which the training drops; empty where
      there are none.

    Raises:
      InputError: They do not fit; one line says what is held and what was asked for.
    """
    missing = sorted(set(asked) - set(held))
    other = sorted(name for name in set(asked) & set(held) if held[name] != asked[name])
    unknown = sorted(set(held) - set(asked))
    if missing or other or _weights(unknown):
        names = [*other, *missing, *unknown]
        if not _weights(names):
            what_to_do += (
                "; in another --model_dir the weights alone are kept by "
                f"--gin_param=\"utils.run.init_checkpoint = '{prefix}'\""
            )
        found, wanted = _difference(held, asked, names=names)
        raise errors.InputError(f"found in {prefix} {found}; wanted {wanted}; {what_to_do}")
    if unknown:
        return (
            f"{prefix} holds {len(unknown)} optimizer slots ({_slot_kinds(unknown)}) that the "
            "optimizer of this run does not have; they are dropped"
        )
    return ""


def _difference(held: Shapes, asked: Shapes, *, names: list[str]) -> tuple[str, str]:
    """Returns the model that is held and the one that was asked for, by what differs."""
    there, here = facts(held), facts(asked)
    keys = [key for key in {**there, **here} if there.get(key) != here.get(key)]
    if keys:
        return _model(held, keys), f"{_model(asked, keys)}, as this run asks for"
    if _weights(held) == _weights(asked) and not _weights(names):
        slots = _slot_kinds(held), _slot_kinds(asked)
        if slots[0] != slots[1]:
            return (
                f"the same model with the optimizer slots {slots[0]}",
                f"the slots {slots[1]} of this run's optimizer",
            )
    first, more = names[0], f" and {len(names) - 1} more" if len(names) > 1 else ""
    return (
        f"a model whose {first} is {_shape(held.get(first))}",
        f"{_shape(asked.get(first))}, as this run's model has{more}",
    )


def _model(shapes: Shapes, keys: list[str]) -> str:
    values = facts(shapes)
    named = ", ".join(f"{key} {values.get(key, 'none')}" for key in keys)
    return f"a model with {named} ({num_parameters(shapes):,} parameters)"


def _shape(shape: tuple[int, ...] | None) -> str:
    return "missing" if shape is None else str(list(shape))
