"""How long to wait before trying again.

All strategies are plain callables from the number of failures so far (1, 2,
...) to seconds, so that they can be wrapped in each other:

    retry_after = jittered(capped(exponential(base=2.0), 300))
"""

import functools
import random
import time
from typing import Callable, Optional, Tuple, Type

Strategy = Callable[[int], float]


def constant(seconds: float) -> Strategy:
    return lambda failures: seconds


def linear(step: float) -> Strategy:
    return lambda failures: step * failures


def exponential(base: float = 2.0, first: float = 1.0) -> Strategy:
    if base <= 1.0:
        raise ValueError("waits must grow: the base has to be above 1")
    return lambda failures: first * base ** (failures - 1)


def fibonacci(first: float = 1.0) -> Strategy:
    def wait(failures: int) -> float:
        current, following = first, first
        for _ in range(failures - 1):
            current, following = following, current + following
        return current

    return wait


def capped(strategy: Strategy, limit: float) -> Strategy:
    return lambda failures: min(limit, strategy(failures))


def jittered(strategy: Strategy, spread: float = 0.25, rng: Optional[random.Random] = None) -> Strategy:
    """Spreads waits by up to a fraction, so that clients do not come back together."""
    source = rng or random.Random()

    def wait(failures: int) -> float:
        return strategy(failures) * source.uniform(1.0 - spread, 1.0 + spread)

    return wait


def retry(
    strategy: Strategy,
    attempts: int = 5,
    on: Tuple[Type[BaseException], ...] = (OSError,),
    sleep: Callable[[float], None] = time.sleep,
):
    """Decorator that calls a function again after some errors.

    The last error is raised as it is once the attempts are used up.
    """
    if attempts < 1:
        raise ValueError("a function must be called at least once")

    def decorate(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            for failures in range(1, attempts + 1):
                try:
                    return function(*args, **kwargs)
                except on:
                    if failures == attempts:
                        raise
                    sleep(strategy(failures))

        return wrapper

    return decorate
