"""Tests of preprocessing.inputs.addresses."""

from __future__ import annotations

import pytest

from code_t5 import errors
from preprocessing.inputs import addresses

_SIGNED = "https://me:pw@host.example:8443/sets/a.tar.gz?id=7&X-Amz-Signature={}&token=s3cret#frag"


def test_public_address_holds_no_secret():
    assert (
        addresses.public_address(_SIGNED.format("abc")) == "https://host.example:8443/sets/a.tar.gz"
    )


def test_key_ignores_what_signs_a_request_and_nothing_else():
    key = addresses.download_key(_SIGNED.format("abc"))
    assert key == addresses.download_key(_SIGNED.format("def"))
    assert key == addresses.download_key("https://host.example:8443/sets/a.tar.gz?id=7")
    assert key != addresses.download_key("https://host.example:8443/sets/a.tar.gz?id=8")
    assert key != addresses.download_key("https://other.example/sets/a.tar.gz?id=7")
    assert len(key) == 12


@pytest.mark.parametrize(
    "address, name",
    [
        ("https://h/a/set.tar.gz?x=/etc/passwd", "set.tar.gz"),
        ("https://h/", "archive"),
        ("https://h/a/..", "_."),
        ("https://h/a/%2e%2e%2fup.tar", "up.tar"),
        ("https://h/.hidden", "_hidden"),
    ],
)
def test_file_name_stays_in_its_folder(address, name):
    assert addresses.file_name(address) == name


@pytest.mark.parametrize(
    "address",
    ["ftp://h/a.tar", "file:///etc/passwd", "https://", "https://h:port/a", "http://[x/a"],
)
def test_other_addresses_are_refused_without_repeating_them(address):
    with pytest.raises(errors.InputError) as info:
        addresses.public_address(address)
    assert "/etc/passwd" not in str(info.value) and "\n" not in str(info.value)
