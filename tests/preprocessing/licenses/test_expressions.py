"""Tests of preprocessing.licenses.expressions."""

from __future__ import annotations

import json
import pathlib
import random

import license_expression
import pytest

from preprocessing import licenses
from preprocessing.licenses import expressions


@pytest.mark.parametrize(
    ("text", "expression", "rank"),
    [
        ("MIT", "MIT", 0),
        ("mit", "MIT", 0),
        (" (BSD-3-Clause) ", "BSD-3-Clause", 0),
        ("Apache 2.0", "Apache-2.0", 0),
        ("Apache-2.0+", "Apache-2.0", 0),
        ("BSD", "LicenseRef-BSD-unspecified", 0),
        ("MIT/Apache-2.0", "Apache-2.0 OR MIT", 0),
        ("Zlib || ISC", "ISC OR Zlib", 0),
        ("GPL-2.0", "GPL-2.0-only", 2),
        ("GPL-2.0+", "GPL-2.0-or-later", 2),
        ("GPL-2.0-or-later", "GPL-2.0-or-later", 2),
        ("gpl-3.0-only OR mit", "GPL-3.0-only OR MIT", 0),
        ("MIT AND GPL-3.0-only", "GPL-3.0-only AND MIT", 2),
        ("(MIT OR GPL-2.0-only) AND (LGPL-2.1-only OR ISC)",
         "(GPL-2.0-only OR MIT) AND (ISC OR LGPL-2.1-only)", 0),
        ("MIT OR (MPL-2.0 AND ISC)", "(ISC AND MPL-2.0) OR MIT", 0),
        ("(MIT OR MIT) AND (ISC OR ISC)", "ISC AND MIT", 0),
        ("Apache-2.0 WITH LLVM-exception", "Apache-2.0 WITH LLVM-exception", 0),
        ("GPL-2.0-only WITH Classpath-exception-2.0",
         "GPL-2.0-only WITH Classpath-exception-2.0", 2),
        # The Commons Clause takes away what the licence gives.
        ("Apache-2.0 WITH Commons-Clause", "Apache-2.0 WITH AdditionRef-Commons-Clause", 2),
        ("LicenseRef-Acme", "LicenseRef-Acme", 2),
        ("Acme Secret License", "LicenseRef-Acme-Secret-License", 2),
        ("", "", 1),
        ("NOASSERTION", "", 1),
        ("NONE", "", 1),
        ("MIT OR", "", 1),
        ("AND", "", 1),
        ("((MIT)", "", 1),
        ("\u00e9", "", 1),
        ("(" * 5000 + "MIT" + ")" * 5000, "", 1),
        ("MIT AND " * 5000 + "MIT", "", 1),
    ],
)  # fmt: skip
def test_what_people_write_becomes_an_expression_and_gets_its_rank(text, expression, rank):
    assert expressions.normalize(text) == expression
    assert licenses.permissive_rank(expression) == rank
    assert licenses.is_permissive(expression) == (rank == 0)


def test_normalising_twice_changes_nothing_and_nonsense_raises_nothing():
    words = ["MIT", "OR", "AND", "WITH", "(", ")", "LLVM-exception", "GPL-2.0+", "foo", "/", "|"]
    words += ["+", "-", ".", ":", "LicenseRef-x", "or", " ", "BSD", "apache 2.0", "(((", "\\", "0"]
    chooser = random.Random(7)
    num_read = 0
    for _ in range(3000):
        glue = chooser.choice(["", " "])
        text = glue.join(chooser.choices(words, k=chooser.randint(1, 9)))
        expression = expressions.normalize(text)
        assert expressions.normalize(expression) == expression, text
        licenses.is_permissive(text)
        num_read += bool(expression)
    assert num_read > 300


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        ("any", ["MIT", "", "GPL-3.0-only"]),
        ("permissive", ["MIT"]),
        ("permissive_or_unknown", ["MIT", ""]),
    ],
)
def test_policies_let_in_what_they_say(policy, allowed):
    everything = ["MIT", "", "GPL-3.0-only"]
    assert [name for name in everything if licenses.is_allowed(name, policy)] == allowed


def test_unknown_policy_is_refused():
    with pytest.raises(ValueError, match="permissive_or_unknown"):
        licenses.is_allowed("MIT", "permisive")


def test_the_permissive_list_agrees_with_the_index_that_the_library_brings():
    path = pathlib.Path(license_expression.__file__).parent / "data/scancode-licensedb-index.json"
    categories = {}
    for entry in json.loads(path.read_text(encoding="utf-8")):
        for key in (entry.get("spdx_license_key"), *entry.get("other_spdx_license_keys", ())):
            categories[key] = entry["category"]
    own = {expressions.BSD_UNSPECIFIED, expressions.PUBLIC_DOMAIN}
    found = {categories.get(name) for name in expressions.PERMISSIVE - own}
    assert found == {"Permissive", "Public Domain"}
    assert {"MIT", "Apache-2.0", "BSD-3-Clause", "ISC", "Unlicense"} <= expressions.PERMISSIVE
    assert not {name for name in expressions.PERMISSIVE if "GPL" in name or "NC" == name[-2:]}
