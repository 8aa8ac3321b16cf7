from __future__ import annotations

import re

import gin
import pytest

from code_t5 import errors
from code_t5.data import mixture_definitions
from code_t5.data.mixture_definitions import MixtureDefinition


@pytest.fixture(autouse=True)
def _gin():
    """Gives each test an empty configuration."""
    with gin.unlock_config():
        gin.clear_config()
        yield
        gin.clear_config()


def _find(*bindings, name="m", known=()):
    gin.parse_config(list(bindings))
    return mixture_definitions.find_definition(name, known=known)


def test_a_list_of_members_follows_examples_unless_told_otherwise():
    assert _find("m/mixture.members = ['a', 'b']") == MixtureDefinition("m", ("a", "b"))
    assert _find("m/mixture.rate = 'tokens'").rate == "tokens"


def test_a_dictionary_of_members_has_fixed_rates():
    found = _find("m/mixture.members = {'a': 2, 'b': 0.5}")
    assert found == MixtureDefinition("m", ("a", "b"), fixed_rates=(2.0, 0.5))
    assert found.rates({}) == {"a": 2.0, "b": 0.5}


def test_what_gin_does_not_define_is_not_found():
    gin.parse_config("m/mixture.members = ['a']\nmixture.temperature = 2.0")
    for name in ("n", "", "a/b", "none: set MIXTURE_NAME", "M", "mm_prefix_lm"):
        assert mixture_definitions.find_definition(name) is None


def test_a_definition_is_one_for_every_objective():
    gin.parse_config("m/mixture.members = {'a': 2.0, 'b_c': 1.0}\nm_x/mixture.members = ['y']")
    found = mixture_definitions.find_definition("m_prefix_lm")
    assert found == MixtureDefinition(
        "m_prefix_lm", ("a_prefix_lm", "b_c_prefix_lm"), fixed_rates=(2.0, 1.0)
    )
    # The longest name that is defined counts, and one of its own before that of its base.
    assert mixture_definitions.find_definition("m_x_y").members == ("y_y",)
    assert mixture_definitions.find_definition("m_x").members == ("y",)


def test_a_name_that_is_taken_is_refused_but_leaves_derived_names_alone():
    with pytest.raises(errors.InputError, match="mixture m has the name of a Task or Mixture"):
        _find("m/mixture.members = ['a']", known=["m"])
    assert mixture_definitions.find_definition("m_a", known=["m_a"]) is None


@pytest.mark.parametrize(
    "bindings, message",
    [
        (["m/mixture.rate = 'tokens'"], "has the members None; wanted m/mixture.members = "),
        (["m/mixture.members = []"], r"has the members \[\]"),
        (["m/mixture.members = 'a'"], "has the members 'a'"),
        (["m/mixture.members = ['a', 1]"], "has the member 1; wanted names"),
        (["m/mixture.members = ['a', 'b', 'a']"], "has the member a twice"),
        (["m/mixture.members = {'a': 1.0, 'b': 0}"], "rate of b 0; wanted a number above zero"),
        (["m/mixture.members = {'a': -1.0}"], "rate of a -1.0; wanted a number above zero"),
        (["m/mixture.members = {'a': True}"], "rate of a True"),
        (["m/mixture.members = {'a': 1e999}"], "rate of a inf"),
        (["m/mixture.members = {'a': 1}", "m/mixture.rate = 'equal'"], "fixed rates and a mix"),
        (["m/mixture.members = {'a': 1}", "m/mixture.maximum = 5"], "and a mixture.maximum"),
        (["m/mixture.members = ['a']", "m/mixture.rate = 'files'"], "one of examples, tokens"),
        (["m/mixture.members = ['a']", "m/mixture.rate = 1"], "has the rate 1; wanted one of"),
        (["m/mixture.members = ['a']", "m/mixture.temperature = 0"], "temperature 0; wanted"),
        (["m/mixture.members = ['a']", "m/mixture.maximum = 'x'"], "maximum 'x'; wanted a num"),
        (
            ["m/mixture.members = ['a']", "m/mixture.rate = 'equal'", "m/mixture.maximum = 5"],
            "has equal rates and a mixture.maximum",
        ),
    ],
)
def test_a_slip_in_a_definition_is_one_line(bindings, message):
    with pytest.raises(errors.InputError, match=message) as caught:
        _find(*bindings)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("the mixture m ")


def test_an_unknown_option_is_refused_by_gin():
    with pytest.raises(ValueError, match="doesn't have a parameter named 'temprature'"):
        gin.parse_config("m/mixture.temprature = 2.0")


def test_rates_follow_sizes_with_a_cap_and_a_temperature():
    sizes = {"a": 1_000_000, "b": 10_000, "c": 100}

    def rates(**options):
        return MixtureDefinition("m", ("a", "b", "c"), **options).rates(sizes)

    assert rates() == {"a": 1e6, "b": 1e4, "c": 100.0}
    assert rates(maximum=10_000) == {"a": 1e4, "b": 1e4, "c": 100.0}
    assert rates(temperature=2.0) == {"a": 1000.0, "b": 100.0, "c": 10.0}
    assert rates(temperature=2.0, maximum=400) == {"a": 20.0, "b": 20.0, "c": 10.0}
    assert rates(rate="equal") == {"a": 1.0, "b": 1.0, "c": 1.0}


def test_a_rate_beyond_numbers_is_refused():
    with pytest.raises(errors.InputError, match="member a the rate inf for 1,000 examples"):
        MixtureDefinition("m", ("a",), temperature=0.001).rates({"a": 1000})
    with pytest.raises(errors.InputError, match="member a the rate 0 for 0 tokens"):
        MixtureDefinition("m", ("a",), rate="tokens").rates({"a": 0})


def test_mixtures_of_mixtures_come_after_their_members():
    gin.parse_config(
        "m/mixture.members = ['n', 'o', 'a']\n"
        "n/mixture.members = ['o', 'b']\n"
        "o/mixture.members = ['c', 'a']"
    )
    names = [found.name for found in mixture_definitions.find_definitions("m")]
    assert names == ["o", "n", "m"]
    assert mixture_definitions.task_names("m") == ["c", "a", "b"]
    assert mixture_definitions.task_names("m_x") == ["c_x", "a_x", "b_x"]
    assert mixture_definitions.task_names("a") == ["a"]
    assert mixture_definitions.bound_names() == ["m", "n", "o"]


def test_a_circle_is_refused_with_its_names():
    gin.parse_config(
        "m/mixture.members = ['n']\nn/mixture.members = ['o']\no/mixture.members = ['n']"
    )
    with pytest.raises(errors.InputError, match="n contains itself: n -> o -> n;"):
        mixture_definitions.find_definitions("m")
    gin.parse_config("p/mixture.members = ['p']")
    with pytest.raises(errors.InputError, match="p contains itself: p -> p;"):
        mixture_definitions.task_names("p")


def test_a_circle_through_a_derived_name_is_refused():
    gin.parse_config("m/mixture.members = ['a', 'm_x']")
    with pytest.raises(errors.InputError, match="m contains itself: m -> m_x;"):
        mixture_definitions.find_definitions("m")
    # Where the name means something else there is no circle.
    assert mixture_definitions.task_names("m", known=["m_x"]) == ["a", "m_x"]
    gin.parse_config("m_x/mixture.members = ['b']")
    assert mixture_definitions.task_names("m") == ["b", "a"]


def test_the_operative_configuration_holds_the_definition():
    gin.parse_config(
        "import code_t5.data.mixture_definitions\n"
        "FIRST = 'a'\nm/mixture.members = [%FIRST, 'n']\nm/mixture.maximum = 7\n"
        "n/mixture.members = {'b': 1.0}\nother/mixture.members = ['z']\n"
    )
    before = mixture_definitions.find_definitions("m_x")
    text = gin.operative_config_str()
    gin.clear_config()
    gin.parse_config(text)
    assert mixture_definitions.bound_names() == ["m", "n"]
    assert mixture_definitions.find_definitions("m_x") == before
    assert before[-1] == MixtureDefinition("m_x", ("a_x", "n_x"), maximum=7.0)


def test_options_without_a_name_count_for_every_mixture():
    gin.parse_config("mixture.temperature = 3.0\nm/mixture.members = ['a']")
    assert mixture_definitions.find_definition("m").temperature == 3.0


@pytest.mark.parametrize(
    ("binding", "message"),
    [
        ("n/mixture.temperature = 9.0", "binds n/mixture.temperature, but no n/mixture.members"),
        ("mm/mixture.rate = 'equal'", "did you mean m?"),
        ("mixture.members = ['a']", "binds mixture.members without a name before it"),
    ],
)
def test_a_binding_of_no_mixture_is_refused_and_not_passed_over(binding, message):
    with pytest.raises(errors.InputError, match=re.escape(message)):
        gin.parse_config(["m/mixture.members = ['a', 'b']", binding])
        mixture_definitions.find_definitions("m")
