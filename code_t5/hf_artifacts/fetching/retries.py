"""Asking a server again: more and more seldom, as long as it is worth it, and as it says itself.

A *passing* error may be gone at the next try: the network's, 429, 5xx. `Retry-After` is the
header by which a server says how long to wait.
"""

from __future__ import annotations

import dataclasses
import email.utils
import threading
import time
from typing import Any, Callable, TypeVar

from code_t5 import library_errors
from code_t5.hf_artifacts.fetching import hub_errors

_Output = TypeVar("_Output")

Say = Callable[[str], object]


@dataclasses.dataclass(frozen=True)
class RetryPolicy:
    """How long to go on asking.

    Attributes:
      attempts: How often a server is asked at most.
      first_wait_seconds: Before the second try; doubled with each one more, with some jitter.
      max_wait_seconds: The longest of these waits.
      max_asked_seconds: The longest wait that a server may ask for.
      total_seconds: After which no new try is begun.
    """

    attempts: int = 8
    first_wait_seconds: float = 1.0
    max_wait_seconds: float = 30.0
    max_asked_seconds: float = 300.0
    total_seconds: float = 900.0


# A file that has been begun is worth some waiting; whether there is a Hub at all, less.
DOWNLOADS = RetryPolicy()
QUESTIONS = RetryPolicy(attempts=6, max_wait_seconds=8.0, total_seconds=330.0)
_SILENT_ATTEMPTS = 4


def call(
    function: Callable[[], _Output],
    *,
    what: str,
    policy: RetryPolicy = DOWNLOADS,
    say: Say | None = None,
    stop: threading.Event | None = None,
) -> _Output:
    """Calls a function until it ends without a passing error.

    Args:
      function: Takes nothing.
      what: What it does, for `say`.
      policy: How long to go on.
      say: Is told what is waited for and for how long.
      stop: Ends the waiting when it is set.

    Returns:
      What the function returned.
    """
    import tenacity

    waiting = stop or threading.Event()

    def tell(state: Any) -> None:
        error = find_passing(state.outcome.exception())
        seconds = state.next_action.sleep
        if say is not None and error is not None:
            say(f"{what}: {_reason(error)}; trying again in {seconds:.0f} s")

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(lambda error: find_passing(error) is not None),
        wait=_Wait(policy),
        stop=tenacity.stop_any(_stop_fn(policy), tenacity.stop_when_event_set(waiting)),
        sleep=tenacity.sleep_using_event(waiting),
        before_sleep=tell,
        reraise=True,
    )
    return retrying(function)


def find_passing(error: BaseException) -> BaseException | None:
    """Returns the error that may be gone at the next try, if it is one.

    Args:
      error: Of any library. What it came from counts as well, also where the library hides it:
        `datasets` says of a Hub that answers 429 that there is no such file.
    """
    passing = None
    for one in library_errors.causes(error, with_hidden=True):
        # The user's own switch; huggingface_hub calls it an error of the connection.
        if type(one).__name__ == "OfflineModeIsEnabled":
            return None
        passing = passing or library_errors.find_passing_error(one)
    return passing


def asked_seconds(error: BaseException, *, now: float | None = None) -> float | None:
    """Returns how long a server asks to wait; None if it does not.

    Args:
      error: With or without the server's answer.
      now: Seconds since 1970; by default, the clock's.
    """
    seconds = hub_errors.retry_after(error)
    if seconds is not None:
        return seconds
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    value = str(headers.get("Retry-After", "")).strip()
    try:
        date = email.utils.parsedate_to_datetime(value)
    except (TypeError, ValueError, IndexError):
        return None
    return max(0.0, date.timestamp() - (time.time() if now is None else now))


def _reason(error: BaseException) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status == 429:
        return "the Hub has been asked too often (429)"
    return f"the Hub answers {status}" if status else hub_errors.describe_silence(error)


class _Wait:
    """How long to wait before the next try."""

    def __init__(self, policy: RetryPolicy) -> None:
        import tenacity

        self._policy = policy
        self._growing = tenacity.wait_exponential_jitter(
            initial=policy.first_wait_seconds,
            max=policy.max_wait_seconds,
            jitter=policy.first_wait_seconds,
        )

    def __call__(self, state: Any) -> float:
        """Returns seconds."""
        grown = float(self._growing(state))
        error = find_passing(state.outcome.exception())
        asked = None if error is None else asked_seconds(error)
        # A little later than asked for: many wait for the same second.
        return grown if asked is None else max(asked + grown / 8, self._policy.first_wait_seconds)


def _stop_fn(policy: RetryPolicy) -> Callable[[Any], bool]:
    def is_enough(state: Any) -> bool:
        error = find_passing(state.outcome.exception())
        asked = None if error is None else asked_seconds(error)
        is_silent = getattr(error, "response", None) is None
        attempts = min(policy.attempts, _SILENT_ATTEMPTS) if is_silent else policy.attempts
        elapsed = state.seconds_since_start or 0.0
        return (
            state.attempt_number >= attempts
            or (asked or 0.0) > policy.max_asked_seconds
            or elapsed + (asked or 0.0) > policy.total_seconds
        )

    return is_enough
