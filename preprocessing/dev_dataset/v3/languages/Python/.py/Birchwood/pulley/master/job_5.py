"""A job: the name of a function, its arguments, and how it has fared so far."""

from __future__ import annotations

import dataclasses
import enum
import json
import time
import uuid
from typing import Any, Callable, Dict, List, Mapping, Optional


class State(str, enum.Enum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    def may_become(self, other: State) -> bool:
        return other in _TRANSITIONS[self]


_TRANSITIONS: Dict[State, List[State]] = {
    State.WAITING: [State.RUNNING, State.CANCELLED],
    State.RUNNING: [State.DONE, State.FAILED, State.WAITING],
    State.FAILED: [State.WAITING],
    State.DONE: [],
    State.CANCELLED: [],
}


class IllegalTransition(RuntimeError):
    pass


@dataclasses.dataclass
class Job:
    task: str
    arguments: Dict[str, Any] = dataclasses.field(default_factory=dict)
    queue: str = "default"
    priority: int = 0
    run_after: float = 0.0
    max_attempts: int = 3
    id: str = dataclasses.field(default_factory=lambda: uuid.uuid4().hex)
    state: State = State.WAITING
    attempts: int = 0
    error: Optional[str] = None
    created_at: float = dataclasses.field(default_factory=time.time)

    def become(self, state: State) -> None:
        if not self.state.may_become(state):
            raise IllegalTransition(f"job {self.id} is {self.state.value}, not to be {state.value}")
        if state is State.RUNNING:
            self.attempts += 1
        self.state = state

    @property
    def exhausted(self) -> bool:
        return self.attempts >= self.max_attempts

    def sort_key(self) -> tuple:
        """High priority first, then the oldest."""
        return (-self.priority, self.run_after, self.created_at, self.id)

    def to_json(self) -> str:
        fields = dataclasses.asdict(self)
        fields["state"] = self.state.value
        return json.dumps(fields, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Job:
        fields = json.loads(text)
        fields["state"] = State(fields["state"])
        return cls(**fields)


class Registry:
    """Names of tasks and the functions behind them."""

    def __init__(self) -> None:
        self._tasks: Dict[str, Callable[..., Any]] = {}

    def task(self, name: Optional[str] = None) -> Callable[[Callable], Callable]:
        """Decorator: `@registry.task("mail.send")`."""

        def register(function: Callable) -> Callable:
            key = name or f"{function.__module__}.{function.__qualname__}"
            if key in self._tasks:
                raise ValueError(f"task {key} exists already")
            self._tasks[key] = function
            return function

        return register

    def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        if name not in self._tasks:
            raise LookupError(f"no task named {name}")
        return self._tasks[name](**arguments)
