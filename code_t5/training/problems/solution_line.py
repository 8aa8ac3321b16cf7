"""The judge's line to the solution's process, and what stands here for the objects there.

What cannot be judged must not be swallowed by an `except` of the tests: the line keeps the first
such thing (it is *spoiled*), and whatever is asked afterwards raises it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Callable, NoReturn

from code_t5.training.problems import told_errors, wire
from code_t5.training.problems.decoding_values import Decoder
from code_t5.training.problems.encoding_values import Encoder
from code_t5.training.problems.sharing import SharedValues

_FIRST_NUMBER = 1
_MAX_DETAIL = 300


class SolutionGoneError(BaseException):
    """The solution's process has ended; not an Exception, so that few tests catch it."""


class UnjudgedError(BaseException):
    """A test wants something of the solution that does not cross between processes."""


class SolutionLine:
    """The line to the solution's process.

    Attributes:
      spoiled: Why nothing can be judged any more; None as long as it can.
      has_lost: Whether an object or an error has come without its class, so that a test that does
        not hold says nothing.
      raised: The last error of the solution's that was raised here.
      raised_text: What it was there.
    """

    def __init__(self, questions: int, answers: int) -> None:
        """Makes a line of two ends of pipes, of which it has both for itself."""
        self._questions, self._answers = questions, answers
        self._shared = SharedValues(first_number=_FIRST_NUMBER)
        self._objects: dict[int, SolutionObject] = {}
        self._decoder = Decoder(self._object_of, value_of=self._shared.value_of, less_fn=self._lose)
        self.spoiled: SolutionGoneError | UnjudgedError | None = None
        self.has_lost = False
        self.raised: Exception | None = None
        self.raised_text = ""

    def spoil(self, error: SolutionGoneError | UnjudgedError) -> NoReturn:
        """Says that nothing can be judged any more.

        Raises:
          SolutionGoneError: The solution's process had ended.
          UnjudgedError: Something did not cross.
        """
        self.spoiled = self.spoiled or error
        raise self.spoiled

    def ask(
        self,
        operation: str,
        *,
        handle: int = 0,
        name: str = "",
        values: Sequence[Any] = (),
        names: Sequence[str] = (),
    ) -> Any:
        """Asks the solution's process for something.

        Args:
          operation: What for; see `solution_side`.
          handle: Of which object.
          name: Of an attribute, or in the program.
          values: Of arguments; those with a name last.
          names: Theirs.

        Raises:
          Exception: The solution raised one like it.
          SolutionGoneError: There is nobody there.
          UnjudgedError: The question or the answer does not cross.
        """
        if self.spoiled is not None:
            raise self.spoiled
        encoder = Encoder(_handle_of, less_fn=self._refuse_less, stand_in=SolutionObject)
        try:
            messages, changed = self._shared.pack(values, encoder=encoder)
            question = {"operation": operation, "handle": handle, "name": name, "changed": changed}
            question |= {"values": messages, "names": list(names)}
            wire.write_frame(self._questions, question)
        except BrokenPipeError:
            self.spoil(SolutionGoneError())
        except (wire.UnsendableError, wire.WireError) as error:
            self.spoil(UnjudgedError(f"{error}; it cannot be given to the solution"))
        return self.answer()

    def answer(self) -> Any:
        """Returns what the solution's process says next.

        Raises:
          Exception: The solution raised one like it.
          SolutionGoneError: There is nobody there, or it wanted to end.
          UnjudgedError: The answer does not cross, or is none.
        """
        try:
            reply = wire.read_frame(self._answers)
            if not isinstance(reply, dict):
                raise wire.WireError("an answer that is none")
            if "unsendable" in reply:
                raise wire.WireError(str(reply["unsendable"])[:_MAX_DETAIL])
            self._shared.unpack(reply.get("changed", {}), decoder=self._decoder)
            value = self._decoder.decode(reply.get("value"))
            self._shared.forget(reply.get("forgotten"))
        except EOFError:
            self.spoil(SolutionGoneError())
        except wire.WireError as error:
            self.spoil(UnjudgedError(str(error)))
        if "error" in reply:
            self._raise(reply["error"])
        return value

    def _raise(self, described: Any) -> NoReturn:
        """Raises an error of the solution's.

        Raises:
          Exception: It.
          SolutionGoneError: It ends a program.
        """
        if told_errors.is_an_end(described):
            self.spoil(SolutionGoneError())
        self.raised, is_as_it_was = told_errors.rebuild_error(described)
        self.raised_text = told_errors.error_text(described)
        self.has_lost = self.has_lost or not is_as_it_was
        raise self.raised

    def _lose(self) -> None:
        self.has_lost = True

    def _refuse_less(self, value: Any) -> None:
        """Refuses what the solution would get without its class.

        Raises:
          UnjudgedError: Always.
        """
        self.spoil(UnjudgedError(f"a {type(value).__name__} cannot be given to the solution"))

    def _object_of(self, handle: int) -> SolutionObject:
        """Returns what stands here for an object of the solution's process, always the same."""
        if handle not in self._objects:
            self._objects[handle] = SolutionObject(self, handle)
        return self._objects[handle]


class SolutionObject:
    """Stands for an object of the solution's process: it can be asked, but not compared.

    What Python itself asks of objects (whether they are equal, true, of a class; their text, their
    hash, their place in memory) is not asked there: the answers would prove nothing.
    """

    __slots__ = ("__handle", "__length", "__line")

    # What `isinstance` asks.
    __class__ = property(lambda self: _cannot(self, "__class__"))  # type: ignore[assignment]

    def __init__(self, line: SolutionLine, handle: int) -> None:
        object.__setattr__(self, "_SolutionObject__line", line)
        object.__setattr__(self, "_SolutionObject__handle", handle)
        object.__setattr__(self, "_SolutionObject__length", None)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Calls it there, with values or with other objects of that process."""
        values = [*arguments, *named.values()]
        return self.__line.ask("call", handle=self.__handle, values=values, names=list(named))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            return _cannot(self, name)
        return self.__line.ask("get", handle=self.__handle, name=name)

    def __setattr__(self, name: str, value: Any) -> None:
        self.__line.ask("set", handle=self.__handle, name=name, values=[value])

    def __getitem__(self, key: Any) -> Any:
        return self.__line.ask("item", handle=self.__handle, values=[key])

    def __len__(self) -> int:
        length = self.__line.ask("length", handle=self.__handle)
        if not isinstance(length, int) or length < 0:
            self.__line.spoil(UnjudgedError("the solution's answer has a length that is none"))
        object.__setattr__(self, "_SolutionObject__length", length)
        return length

    def __iter__(self) -> Iterator[Any]:
        items = self.__line.ask("items", handle=self.__handle)
        if type(items) is not list or self.__length not in (None, len(items)):
            self.__line.spoil(UnjudgedError("the solution's answer has not the items it counts"))
        return iter(items)


def _handle_of(one: Any) -> int:
    """Returns the handle of what stands for an object of the solution's.

    Raises:
      UnsendableError: It is an object of the tests'.
    """
    if type(one) is SolutionObject:
        return int(object.__getattribute__(one, "_SolutionObject__handle"))
    raise wire.UnsendableError(f"a {type(one).__name__}")


def _cannot(one: SolutionObject, name: str) -> NoReturn:
    line: SolutionLine = object.__getattribute__(one, "_SolutionObject__line")
    line.spoil(
        UnjudgedError(f"the tests ask {name.strip('_')!r} of an object, which proves nothing")
    )


def _never(name: str) -> Callable[..., NoReturn]:
    def method(self: SolutionObject, *_: Any, **__: Any) -> NoReturn:
        _cannot(self, name)

    return method


_NUMBER_METHODS = (
    *("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "divmod", "pow"),
    *("lshift", "rshift", "and", "or", "xor"),
)
_METHODS = (
    *("eq", "ne", "lt", "le", "gt", "ge", "hash", "bool", "repr", "str", "format", "bytes", "dir"),
    *_NUMBER_METHODS,
    *(f"r{name}" for name in _NUMBER_METHODS),
    *(f"i{name}" for name in _NUMBER_METHODS if name != "divmod"),
    *("neg", "pos", "abs", "invert", "int", "float", "complex", "index", "round", "trunc"),
    *("floor", "ceil", "contains", "next", "reversed", "length_hint", "setitem", "delitem"),
    *("delattr", "enter", "exit", "await", "aiter", "anext", "aenter", "aexit", "fspath"),
    *("instancecheck", "subclasscheck", "mro_entries", "copy", "deepcopy", "reduce"),
    *("reduce_ex", "sizeof"),
)
for _name in _METHODS:
    setattr(SolutionObject, f"__{_name}__", _never(f"__{_name}__"))
