"""Tells people when a probe fails.

Questions to the mailing list, avisos@guardia.test, please,
not to single developers.
"""

import collections
import smtplib
from email.message import EmailMessage

__author__ = "The night shift <ronda@guardia.test>"

# Whoever is on duty, by weekday; Monday is 0.
ON_DUTY = {
    0: "turno.uno@guardia.test",
    1: "turno.uno@guardia.test",
    2: "turno.dos@guardia.test",
    3: "turno.dos@guardia.test",
    4: "turno.tres@guardia.test",
}

Failure = collections.namedtuple("Failure", "probe host since reason")


def receivers(weekday, everybody=False):
    """Addresses that get a message; at weekends nobody is paged but all are told."""
    if everybody or weekday not in ON_DUTY:
        return sorted(set(ON_DUTY.values()))
    return [ON_DUTY[weekday]]


def compose(failures, sender="watch@localhost"):
    """One message for all failures of a round.

    >>> compose([Failure("ping", "web", 0, "no answer")])["Subject"]
    'nightwatch: ping of web failed'
    """
    message = EmailMessage()
    first = failures[0]
    subject = "nightwatch: %s of %s failed" % (first.probe, first.host)
    if len(failures) > 1:
        subject += " and %d more" % (len(failures) - 1)
    message["Subject"] = subject
    message["From"] = sender
    rows = ["%-12s %-20s %s" % (each.probe, each.host, each.reason) for each in failures]
    message.set_content("\n".join(rows))
    return message


def send(message, addresses, relay="localhost"):
    message["To"] = ", ".join(addresses)
    with smtplib.SMTP(relay) as server:
        server.send_message(message)
