"""What gin files say of Mixtures: the configurable that they bind, and the reading of it.

A *definition* is all that gin binds under a Mixture's name, `<name>/mixture.members` and what
belongs to it. A *member* is a Task or another Mixture by name, its *rate* the share of examples
that come from it, its *size* a number that a rate follows: of training examples or tokens. A
definition is also one for each objective: where `<name>` is defined, `<name>_<suffix>` mixes the
members' names with the same suffix.

Nothing here needs TensorFlow or seqio.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Collection, Mapping
from typing import Any

import gin

from code_t5 import errors
from code_t5.data.near_names import near_hint

_SELECTOR = "code_t5.mixture"
_BOUND_MEMBERS = re.compile(r"^([\w./]+)/(?:code_t5\.)?mixture\.members = ", re.MULTILINE)
_BOUND = re.compile(r"^(?:([\w./]+)/)?(?:code_t5\.)?mixture\.(\w+) = ", re.MULTILINE)
# What a rate may follow.
RATES = ("examples", "tokens", "equal")


@dataclasses.dataclass(frozen=True)
class MixtureDefinition:
    """A Mixture as gin defines it.

    Attributes:
      name: Of the Mixture.
      members: The members' names.
      fixed_rates: A rate for each member; None where they follow sizes.
      rate: What they follow, one of `RATES`.
      temperature: A size s becomes s^(1/temperature), after the cap.
      maximum: The cap: a larger size counts as this.
    """

    name: str
    members: tuple[str, ...]
    fixed_rates: tuple[float, ...] | None = None
    rate: str = "examples"
    temperature: float = 1.0
    maximum: float | None = None

    def rates(self, sizes: Mapping[str, float]) -> dict[str, float]:
        """Returns the rate of each member.

        As "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer"
        (Raffel et al., 2020), section 3.5.2, and `seqio.mixing_rate_num_examples` have it.

        Args:
          sizes: Of each member, in examples or tokens as `rate` says; not read for other rates.

        Returns:
          Positive numbers by name; only their proportions count.

        Raises:
          InputError: A rate is too large or too small for a number, or zero.

        >>> MixtureDefinition("m", ("a", "b"), temperature=2.0, maximum=100).rates(
        ...     {"a": 900, "b": 25})
        {'a': 10.0, 'b': 5.0}
        """
        if self.fixed_rates is not None:
            return dict(zip(self.members, self.fixed_rates))
        if self.rate == "equal":
            return dict.fromkeys(self.members, 1.0)
        cap = math.inf if self.maximum is None else self.maximum
        found = {}
        for member in self.members:
            try:
                found[member] = float(min(sizes[member], cap)) ** (1.0 / self.temperature)
            except OverflowError:
                found[member] = math.inf
            if not 0.0 < found[member] < math.inf:
                raise errors.InputError(
                    f"the mixture {self.name} gives its member {member} the rate {found[member]:g} "
                    f"for {sizes[member]:,} {self.rate} at temperature {self.temperature:g}; "
                    "wanted one above zero; leave the member out or change the temperature"
                )
        return found


@gin.configurable(module="code_t5", denylist=["name"])
def mixture(
    name: str,
    *,
    members: Any = None,
    rate: Any = None,
    temperature: Any = None,
    maximum: Any = None,
) -> dict[str, Any]:
    """Takes up what gin binds in the scope of a Mixture's name; `find_definition` reads it.

    Args:
      name: Of the Mixture.
      members: A list of names, or a dictionary of names and fixed rates.
      rate: What the rates follow: `'examples'` (the default), `'tokens'` or `'equal'`.
      temperature: Above 1 brings the rates nearer to each other.
      maximum: The most examples, or tokens, that a member counts as.

    Returns:
      The arguments.
    """
    return {
        "name": name,
        "members": members,
        "rate": rate,
        "temperature": temperature,
        "maximum": maximum,
    }


def _refuse(name: str, *, found: str, wanted: str) -> errors.InputError:
    return errors.InputError(
        f"the mixture {name} {found}; wanted {wanted}; mend it in the gin file or --gin_param that "
        "defines it"
    )


def _check_number(name: str, value: Any, *, what: str) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 < value < math.inf:
        raise _refuse(name, found=f"has the {what} {value!r}", wanted="a number above zero")
    return float(value)


def _check_names(name: str, members: Any) -> tuple[str, ...]:
    example = f"{name}/mixture.members = ['a', 'b'] or {{'a': 2.0, 'b': 1.0}}"
    if not isinstance(members, (list, tuple, dict)) or not members:
        raise _refuse(name, found=f"has the members {members!r}", wanted=example)
    for member in members:
        if not isinstance(member, str) or not member:
            raise _refuse(name, found=f"has the member {member!r}", wanted="names of Tasks")
    twice = sorted({member for member in members if list(members).count(member) > 1})
    if twice:
        raise _refuse(name, found=f"has the member {twice[0]} twice", wanted="each once")
    return tuple(members)


def _check_definition(bound: Mapping[str, Any]) -> MixtureDefinition:
    """Makes a definition of what gin binds."""
    name, members = bound["name"], bound["members"]
    names = _check_names(name, members)
    options = {key: bound[key] for key in ("rate", "temperature", "maximum")}
    given = [key for key, value in options.items() if value is not None]
    if isinstance(members, dict):
        if given:
            raise _refuse(
                name,
                found=f"has fixed rates and a mixture.{given[0]}",
                wanted="one of the two: a list of members lets the rates follow their sizes",
            )
        fixed = tuple(_check_number(name, members[one], what=f"rate of {one}") for one in names)
        return MixtureDefinition(name, names, fixed_rates=fixed)
    rate = options["rate"] if options["rate"] is not None else "examples"
    if rate not in RATES:
        raise _refuse(name, found=f"has the rate {rate!r}", wanted=f"one of {', '.join(RATES)}")
    if rate == "equal" and given != ["rate"]:
        raise _refuse(
            name, found=f"has equal rates and a mixture.{given[-1]}", wanted="one of the two"
        )
    numbers = {key: _check_number(name, options[key], what=key) for key in given if key != "rate"}
    return MixtureDefinition(
        name,
        names,
        rate=rate,
        temperature=numbers.get("temperature", 1.0),
        maximum=numbers.get("maximum"),
    )


def is_bound(name: str) -> bool:
    """Says whether gin binds anything of a Mixture under exactly this name."""
    if not name:
        return False
    return bool(
        gin.get_bindings(f"{name}/{_SELECTOR}", resolve_references=False, inherit_scopes=False)
    )


def bound_names() -> list[str]:
    """Returns the names under which gin binds members of a Mixture, sorted."""
    return sorted(set(_BOUND_MEMBERS.findall(gin.config_str())))


def _check_scopes() -> None:
    """Refuses what gin would let pass: bindings that are of no Mixture, such as misspelt names."""
    text = gin.config_str()
    defined = set(_BOUND_MEMBERS.findall(text))
    for scope, parameter in _BOUND.findall(text):
        if not scope and parameter == "members":
            raise errors.InputError(
                "gin binds mixture.members without a name before it; wanted the name of the "
                "mixture, as in my_mix/mixture.members; mend it in the gin file or --gin_param"
            )
        if scope and scope not in defined:
            raise errors.InputError(
                f"gin binds {scope}/mixture.{parameter}, but no {scope}/mixture.members"
                f"{near_hint(scope, defined)}; wanted members for every mixture; mend "
                "the name in the gin file or --gin_param"
            )


def _bound_name(name: str) -> str | None:
    """Returns what gin binds a Mixture under: its name, or the longest name that it begins with."""
    ends = [len(name), *(match.start() for match in reversed(list(re.finditer("_", name))))]
    return next((name[:end] for end in ends if is_bound(name[:end])), None)


def _read(name: str) -> MixtureDefinition:
    # Called through gin and in the name's own scope: so the operative configuration holds it.
    with gin.config_scope(name.split("/")):
        bound = mixture(name)
    return _check_definition(bound)


def find_definition(name: str, *, known: Collection[str] = ()) -> MixtureDefinition | None:
    """Returns what gin says of a Mixture.

    Args:
      name: Of the Mixture.
      known: Names that mean something else already.

    Returns:
      Its definition; None if gin does not define it.

    Raises:
      InputError: The definition is not what it should be, or the name is one of `known`.
    """
    bound_name = _bound_name(name)
    if bound_name == name and name in known:
        raise _refuse(
            name, found="has the name of a Task or Mixture that is there", wanted="another name"
        )
    if bound_name is None or name in known:
        return None
    found, suffix = _read(bound_name), name[len(bound_name) :]
    members = tuple(member + suffix for member in found.members)
    return dataclasses.replace(found, name=name, members=members)


def find_definitions(name: str, *, known: Collection[str] = ()) -> list[MixtureDefinition]:
    """Returns the definitions of a Mixture and of all Mixtures that it is made of.

    Args:
      name: Of the Mixture.
      known: Names of Tasks, and of Mixtures that gin does not define.

    Returns:
      Each once, members before what they are members of; empty if gin does not define the name.

    Raises:
      InputError: A definition is not what it should be, or one contains itself.
    """
    found: dict[str, MixtureDefinition] = {}

    def visit(one: str, above: dict[str, str]) -> None:
        """Adds a definition behind those of its members.

        Raises:
          InputError: It contains itself, or is not what it should be.
        """
        definition = None if one in found else find_definition(one, known=known)
        if definition is None:
            return
        # What is derived from a name leads back to it as that name itself does.
        bound_name = str(_bound_name(one))
        if bound_name in above:
            circle = list(above.values())[list(above).index(bound_name) :]
            raise _refuse(
                circle[0],
                found=f"contains itself: {' -> '.join([*circle, one])}",
                wanted="members beside it",
            )
        for member in definition.members:
            visit(member, {**above, bound_name: one})
        found[one] = definition

    _check_scopes()
    visit(name, {})
    return list(found.values())


def task_names(name: str, *, known: Collection[str] = ()) -> list[str]:
    """Returns the names of the Tasks that a Mixture is made of, without seqio.

    Args:
      name: Of the Mixture, or of a Task.
      known: Names of Tasks, and of Mixtures that gin does not define.

    Returns:
      Names that gin does not define, in order, each once; `[name]` for anything but a Mixture that
      gin defines.

    Raises:
      InputError: A definition is not what it should be, or one contains itself.
    """
    definitions = find_definitions(name, known=known)
    if not definitions:
        return [name]
    defined = {definition.name for definition in definitions}
    members = [member for definition in definitions for member in definition.members]
    return [member for member in dict.fromkeys(members) if member not in defined]
