"""Licence files as people save them, and licences that take away what another grants."""

from __future__ import annotations

import pytest

from preprocessing import licenses
from preprocessing.licenses import license_files

_GPL = "GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007\n"


@pytest.mark.parametrize(
    "data",
    [
        _GPL.encode("utf-8-sig"),
        _GPL.encode("utf-16"),
        _GPL.replace(" ", "\u00a0").encode("utf-8"),
        _GPL.replace("\n", "\r\n").encode("utf-8"),
    ],
)
def test_an_odd_encoding_does_not_hide_a_licence(data):
    assert license_files.license_of_text(data).startswith("GPL-3.0")


@pytest.mark.parametrize(
    "text",
    [
        '"Commons Clause" License Condition v1.0\n\nLicense: Apache License 2.0\n',
        "The MIT License\n\nCommons Clause License Condition v1.0\n",
        "Creative Commons Attribution-NonCommercial 4.0\n",
        "# PolyForm Noncommercial License 1.0.0\n",
    ],
)
def test_a_licence_that_forbids_use_for_gain_is_not_permissive(text):
    found = license_files.license_of_text(text.encode("utf-8"))
    assert found
    assert not licenses.is_permissive(found)
    assert not licenses.is_allowed(found, licenses.PERMISSIVE_OR_UNKNOWN)
