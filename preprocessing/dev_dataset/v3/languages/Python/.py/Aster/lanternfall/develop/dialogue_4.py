"""Conversations as small graphs: what a character says, what one may answer.

A topic can have conditions and effects on *flags*, the named yes/no facts that
a game remembers ("met_the_keeper", "owes_a_favour").
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, FrozenSet, Iterable, List, Optional, Set


@dataclass(frozen=True)
class Reply:
  """One line the player may choose."""

  text: str
  leads_to: Optional[str] = None
  needs: FrozenSet[str] = frozenset()
  forbids: FrozenSet[str] = frozenset()
  sets: FrozenSet[str] = frozenset()

  def is_open(self, flags: Set[str]) -> bool:
    return self.needs <= flags and not self.forbids & flags


@dataclass
class Topic:
  key: str
  speech: str
  replies: List[Reply] = field(default_factory=list)


class Conversation:
  """Walks through topics until a reply leads nowhere."""

  def __init__(self, topics: Iterable[Topic], start: str, flags: Optional[Set[str]] = None):
    self._topics: Dict[str, Topic] = {topic.key: topic for topic in topics}
    self._current: Optional[Topic] = self._topics[start]
    self.flags: Set[str] = flags if flags is not None else set()
    self.transcript: List[str] = [self._current.speech]

  @property
  def finished(self) -> bool:
    return self._current is None or not self.choices()

  def choices(self) -> List[Reply]:
    if self._current is None:
      return []
    return [reply for reply in self._current.replies if reply.is_open(self.flags)]

  def choose(self, number: int) -> Optional[str]:
    """Says the reply with this number (from 1) and returns the answer to it.

    Raises:
      IndexError: there is no such reply at the moment.
    """
    open_replies = self.choices()
    if not 1 <= number <= len(open_replies):
      raise IndexError(f'choose between 1 and {len(open_replies)}')
    reply = open_replies[number - 1]
    self.flags |= reply.sets
    self.transcript.append(f'You: {reply.text}')
    if reply.leads_to is None:
      self._current = None
      return None
    self._current = self._topics[reply.leads_to]
    self.transcript.append(self._current.speech)
    return self._current.speech

  def menu(self) -> str:
    return '\n'.join(
        f'  {number}. {reply.text}' for number, reply in enumerate(self.choices(), start=1))


def dead_ends(topics: Iterable[Topic]) -> List[str]:
  """Replies that lead to topics nobody wrote."""
  topics = list(topics)
  known = {topic.key for topic in topics}
  return [
      f'{topic.key}: "{reply.text}" leads to {reply.leads_to}'
      for topic in topics
      for reply in topic.replies
      if reply.leads_to is not None and reply.leads_to not in known
  ]
