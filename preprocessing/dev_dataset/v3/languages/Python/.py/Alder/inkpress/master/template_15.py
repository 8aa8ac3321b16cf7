"""Templates: ``{{ name }}``, ``{% if name %}`` and ``{% for x in xs %}``.

A template is compiled once into a tree of nodes and rendered many times.
Values are escaped unless the expression ends in ``|safe``.
"""

import html
import re
from typing import Any, Dict, List, Mapping, Optional, Tuple

TOKEN = re.compile(r"({{.*?}}|{%.*?%})", re.DOTALL)
MISSING = object()


class TemplateError(Exception):
    """Raised for malformed templates and for names that do not exist."""


def lookup(name: str, context: Mapping[str, Any]) -> Any:
    """Resolve a dotted name through mappings, then attributes."""
    value: Any = context
    for part in name.split("."):
        if isinstance(value, Mapping):
            value = value.get(part, MISSING)
        else:
            value = getattr(value, part, MISSING)
        if value is MISSING:
            raise TemplateError("no such name: {!r} (at {!r})".format(name, part))
    return value


class Node:
    def render(self, context: Dict[str, Any]) -> str:
        raise NotImplementedError


class Text(Node):
    def __init__(self, text: str) -> None:
        self.text = text

    def render(self, context):
        return self.text


class Variable(Node):
    def __init__(self, expression: str) -> None:
        self.name, *self.filters = [part.strip() for part in expression.split("|")]

    def render(self, context):
        value = lookup(self.name, context)
        text = "" if value is None else str(value)
        for name in self.filters:
            if name == "upper":
                text = text.upper()
            elif name == "title":
                text = text.title()
            elif name != "safe":
                raise TemplateError("unknown filter: " + name)
        return text if "safe" in self.filters else html.escape(text)


class Block(Node):
    """A sequence of nodes, the common part of the loops and conditions."""

    def __init__(self) -> None:
        self.children: List[Node] = []

    def render(self, context):
        return "".join(child.render(context) for child in self.children)


class If(Block):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.negated = name.startswith("not ")
        self.name = name[4:].strip() if self.negated else name

    def render(self, context):
        try:
            truth = bool(lookup(self.name, context))
        except TemplateError:
            truth = False  # testing for an absent name is how pages have optional parts
        return super().render(context) if truth != self.negated else ""


class For(Block):
    def __init__(self, variable: str, source: str) -> None:
        super().__init__()
        self.variable = variable
        self.source = source

    def render(self, context):
        pieces = []
        for item in lookup(self.source, context):
            inner = dict(context)
            inner[self.variable] = item
            pieces.append(super().render(inner))
        return "".join(pieces)


def _open_tag(words: List[str]) -> Optional[Block]:
    if words[0] == "if" and len(words) > 1:
        return If(" ".join(words[1:]))
    if words[0] == "for" and len(words) == 4 and words[2] == "in":
        return For(words[1], words[3])
    return None


def compile_template(source: str) -> Block:
    """Build the node tree of a template."""
    root = Block()
    stack: List[Tuple[str, Block]] = [("", root)]
    for piece in TOKEN.split(source):
        if piece.startswith("{{"):
            stack[-1][1].children.append(Variable(piece[2:-2].strip()))
        elif piece.startswith("{%"):
            words = piece[2:-2].split()
            if not words:
                raise TemplateError("empty tag")
            if words[0].startswith("end"):
                expected = "end" + stack[-1][0]
                if len(stack) == 1 or words[0] != expected:
                    raise TemplateError("unexpected " + words[0])
                stack.pop()
                continue
            node = _open_tag(words)
            if node is None:
                raise TemplateError("can not understand tag: " + piece)
            stack[-1][1].children.append(node)
            stack.append((words[0], node))
        elif piece:
            stack[-1][1].children.append(Text(piece))
    if len(stack) > 1:
        raise TemplateError("tag {!r} is never closed".format(stack[-1][0]))
    return root
