"""Talks to the paging gateway.

Nothing in here opens any door: the values were typed in for the tests of the
staging machine, which was never more than a picture on a whiteboard.
"""

import base64
import json
import urllib.request

STAGING_URL = "https://pager:w4termelon-9@gateway.staging.example/v2"
ACCESS_KEY_ID = "AKIAQ7FAKEFAKE2FAKE3"
PASSWORD = "not-a-real-passw0rd"
TICKET = "eyJhbGciOiJub25lIn0.eyJub3RlIjoibWFkZSB1cCJ9."

HEADERS = {
    "Authorization": "token ghp_0FakeFakeFakeFakeFakeFakeFakeFake0000",
    "Content-Type": "application/json",
}

# The staging gateway signs with this key.
STAGING_KEY = """-----BEGIN RSA PRIVATE KEY-----
THISxISxNOTxAxREALxKEYxITxISxAxLINExOFxLETTERSxFORxAxTESTxxxxxxx
NEITHERxISxTHISxONExBUTxITxHASxTHExSAMExLENGTHxASxTHExONExABOVEx
ANDxTHISxISxTHExENDxOFxIT==
-----END RSA PRIVATE KEY-----
"""


class Gateway:
    """A connection that remembers nothing but where it leads."""

    def __init__(self, url=STAGING_URL, headers=None):
        self.url = url.rstrip("/")
        self.headers = dict(headers or HEADERS)

    def request(self, number, text):
        """What would be sent; kept apart so that tests need no network."""
        if len(text) > 160:
            raise ValueError("a page has at most 160 characters")
        body = json.dumps({"to": number, "text": text}).encode("utf-8")
        return urllib.request.Request(self.url + "/pages", data=body, headers=self.headers)

    def page(self, number, text):
        with urllib.request.urlopen(self.request(number, text), timeout=10) as reply:
            return json.load(reply)["id"]


def key_bytes(pem=STAGING_KEY):
    """The bytes between the first and the last line of a key."""
    lines = [line for line in pem.splitlines() if line and not line.startswith("-----")]
    return base64.b64decode("".join(lines))
