"""E-mail and IP addresses: which are found, which are kept, and where they begin and end."""

from __future__ import annotations

import pytest

from preprocessing import redaction


def _redact(text: str, extension: str = ".txt") -> str:
    content = text.encode("utf-8")
    spans = redaction.find_spans(content, extension=extension)
    return redaction.replace_spans(content, spans).decode("utf-8")


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("joe@here.org", "REDACTED_EMAIL"),
        ("<Joe.Q+tag@mail.here.co.uk>,", "<REDACTED_EMAIL>,"),
        ("mailto:joe_q@here-there.org.", "mailto:REDACTED_EMAIL."),
        ("Müller joe@here.org é", "Müller REDACTED_EMAIL é"),
        ("joe@example.com", "REDACTED_EMAIL"),
        ("a@b.co;c@d.eu", "REDACTED_EMAIL;REDACTED_EMAIL"),
        (r"\njoe@here.org\n", r"\nREDACTED_EMAIL\n"),
        (r"\x41joe@here.org", r"\x41REDACTED_EMAIL"),
        (r"\u00e9joe@here.org", r"\u00e9REDACTED_EMAIL"),
        (r"\\joe@here.org", r"\\REDACTED_EMAIL"),
        (r"\101joe@here.org", r"\101REDACTED_EMAIL"),
        (r"\N{BULLET}joe@here.org", r"\N{BULLET}REDACTED_EMAIL"),
    ],
)
def test_email_address_is_replaced_and_no_more_than_it(text, redacted):
    assert _redact(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "@decorator.name",
        "icon@2x.png",
        "git@github.com:joe/repository.git",
        "joe@localhost",
        "user@host",
        "%s@here.org",
        "{user}@here.org",
        "%(user)s@here.org",
        "ssh-ed25519-cert-v01@openssh.com",
        "a @ b.co",
        r"\n@here.org",
        "joe@here.o9",
        "package@1.2.3",
        "joe@here.org(",
    ],
)
def test_what_is_no_address_of_a_person_stays(text):
    assert _redact(text) == text


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("'81.2.69.160'", "'REDACTED_IPV4'"),
        ("http://81.2.69.160:8080/", "http://REDACTED_IPV4:8080/"),
        ("81.2.69.160.", "REDACTED_IPV4."),
        ("from 81.2.69.160, 2a02:8071::7", "from REDACTED_IPV4, REDACTED_IPV6"),
        (r"'\n81.2.69.160'", r"'\nREDACTED_IPV4'"),
        ("::ffff:81.2.69.160", "::ffff:REDACTED_IPV4"),
        ("'2.4.8.19'", "'REDACTED_IPV4'"),
        ("[2a02:8071:1:2:3:4:5:6]:80", "[REDACTED_IPV6]:80"),
        ("2A02:8071::/32", "REDACTED_IPV6/32"),
        (r"\b2a02:8071::7", r"\bREDACTED_IPV6"),
    ],
)
def test_ip_address_is_replaced_and_no_more_than_it(text, redacted):
    assert _redact(text) == redacted


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "10.1.2.3", "100.64.1.1", "127.0.0.1", "169.254.169.254", "172.31.0.9",
        "192.0.2.7", "192.168.100.200", "198.51.100.1", "203.0.113.250", "224.0.0.251",
        "239.255.255.250", "240.0.0.1", "255.255.255.0", "255.255.255.255", "8.8.8.8", "8.8.4.4",
        "1.1.1.1", "9.9.9.9", "208.67.222.222", "::1", "::", "fe80::1", "fc00::1", "fd12:3456::1",
        "ff02::1", "2001:db8::1", "3fff::1", "2001:4860:4860::8888", "2606:4700:4700::1111",
    ],
)  # fmt: skip
def test_addresses_of_no_one_are_kept(address):
    assert _redact(f"host = '{address}'") == f"host = '{address}'"


@pytest.mark.parametrize(
    "text",
    [
        "see the Hyperspec, 2.4.8.19,",
        "version = '81.2.69.160'",
        "pip install thing==81.2.69.160",
        "ObjectIdentifier('2.5.4.41')",
        "1.3.6.1.4.1.311.60.2.1.3",
        "v81.2.69.160",
        "81.2.69.160a",
        "81.2.69.1600",
        "281.2.69.160",
        "081.2.69.160",
        "Chrome/114.0.0.0",
        "2013:10:22 12:30:45",
        "2001:4:5",
        "2a02:8071:zz",
        "a2a02:8071::7",
    ],
)
def test_numbers_that_are_no_address_stay(text):
    assert _redact(text) == text


@pytest.mark.parametrize(
    "address",
    [
        "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.1", "126.255.255.255",
        "128.0.0.1",
        "169.253.255.255", "172.15.255.255", "172.32.0.1", "192.0.1.255", "192.0.3.1",
        "192.167.255.255", "192.169.0.1", "198.17.255.255", "198.20.0.1", "198.51.101.1",
        "203.0.112.255", "203.0.114.1", "223.255.255.255", "1.1.1.4", "8.8.8.9",
        "2001:200::1", "2001:db7::1", "2001:db9::1", "3ffe::1", "2001:4860:4861::8888",
    ],
)  # fmt: skip
def test_addresses_just_outside_of_the_kept_networks_are_found(address):
    kind = "REDACTED_IPV6" if ":" in address else "REDACTED_IPV4"
    assert _redact(f"host = '{address}'") == f"host = '{kind}'"


def test_code_of_python_keeps_its_matrix_products_and_slices():
    code = (
        "product = left@right.co\n"
        "if-x@y.zz: pass\n"
        "rows = table[2001::4]\n"
        "more = table[2a02:8071]\n"
        "f(x, a.b@c.io, 'joe@here.org') # and joe@here.org\n"
    )
    expected = code.replace("joe@here.org", "REDACTED_EMAIL")
    assert _redact(code, ".py") == expected


def test_comment_on_an_open_string_does_not_hide_an_address():
    text = "s = '''\n# joe@here.org\n'''\nx = a@b.co # '''\ny = c@d.co\n"
    text += "z = '''\n# ''', a@b.co\nz = '\\\n# ', a@b.co\n"
    assert _redact(text, ".py") == text.replace("joe@here.org", "REDACTED_EMAIL")
