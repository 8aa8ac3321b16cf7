"""A made-up corpus in which copies of files are planted, and a slow, plain search for copies.

A corpus has 50 repositories in FLCC layout. Most of their files are *own*: like no other. The rest
is planted: exact copies, edited copies of known similarity, chains in which each file is an edit of
the one before, forks in which half of the files were edited, a vendored file that everybody has,
and one that twenty have, each with an edit of their own. The search shares no code with
`preprocessing`.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import keyword
import pathlib
import random
import re
from typing import NamedTuple

NUM_REPOSITORIES = 50
NUM_FORKS = 6
NUM_OWN_FILES = 4
# The similarity that edited copies are brought down to; they end at most a twentieth above it.
SIMILARITIES = (0.72, 0.74, 0.76, 0.78, 0.8, 0.82, 0.84, 0.86, 0.88, 0.9, 0.92, 0.94)
THRESHOLD = 0.7

_TOKEN = re.compile(rb"[0-9A-Za-z_\x80-\xff]+")
_WORD = re.compile(r"\b[a-z]{3,}\b")
_SYLLABLES = "ba co du fe gi ho ja ke lu mo ni pa qui ro su te va wi xa zo".split()


def token_ngrams(text: bytes, size: int = 5) -> set[bytes]:
    """Returns the n-grams of a text, each as its tokens with spaces between them."""
    tokens = _TOKEN.findall(text)
    return {b" ".join(tokens[i : i + size]) for i in range(len(tokens) - size + 1)}


def jaccard(first: set[bytes], second: set[bytes]) -> float:
    """Returns the share of what two sets have in common; 0 for two empty ones."""
    either = len(first | second)
    return len(first & second) / either if either else 0.0


class Clone(NamedTuple):
    """Two texts that are copies of each other: side and place there, and similarity; 1 if equal."""

    first: str
    first_place: int
    second: str
    second_place: int
    similarity: float


def find_clones(sides: dict[str, list[bytes]]) -> list[Clone]:
    """Compares every text of a side with every text of every other side.

    Args:
      sides: Texts by name of the side.

    Returns:
      The pairs of copies, the side whose name sorts first before the other.
    """
    found = []
    prepared = {
        side: [(text, token_ngrams(text)) for text in texts] for side, texts in sides.items()
    }
    names = sorted(prepared)
    for place, first in enumerate(names):
        for second in names[place + 1 :]:
            for i, (text, ngrams) in enumerate(prepared[first]):
                for j, (other, other_ngrams) in enumerate(prepared[second]):
                    alike = 1.0 if text == other else jaccard(ngrams, other_ngrams)
                    if alike >= THRESHOLD:
                        found.append(Clone(first, i, second, j, alike))
    return found


@dataclasses.dataclass
class Corpus:
    """What was made up.

    Attributes:
      files: Text by repository and path.
      kinds: What is planted, by repository and path; `own` for the rest.
      forks: The original of each fork.
    """

    files: dict[tuple[str, str], bytes] = dataclasses.field(default_factory=dict)
    kinds: dict[tuple[str, str], str] = dataclasses.field(default_factory=dict)
    forks: dict[str, str] = dataclasses.field(default_factory=dict)

    def add(self, repository: str, path: str, *, text: bytes, kind: str) -> None:
        """Adds one file."""
        assert (repository, path) not in self.files
        self.files[repository, path] = text
        self.kinds[repository, path] = kind

    def paths_of(self, *kinds: str) -> set[tuple[str, str]]:
        """Returns the files of some kinds."""
        return {file for file, kind in self.kinds.items() if kind in kinds}

    def by_repository(self) -> dict[str, list[bytes]]:
        """Returns the texts of each repository."""
        sides = collections.defaultdict(list)
        for (repository, _), text in self.files.items():
            sides[repository].append(text)
        return sides


class _Author:
    """Writes code that looks like code, from a seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def word(self) -> str:
        word = "".join(self.rng.choices(_SYLLABLES, k=3))
        return word + "_" if keyword.iskeyword(word) else word

    def function(self) -> str:
        name, first, second, result, index = (self.word() for _ in range(5))
        number = self.rng.randrange(10, 1000)
        return (
            f"def {name}({first}, {second}):\n"
            f'    """{self.word()} {self.word()} {self.word()}."""\n'
            f"    {result} = {self.word()}({first}, {number})\n"
            f"    for {index} in {second}.{self.word()}:\n"
            f"        if {index}.{self.word()} < {result}:\n"
            f"            {result} += {self.word()}[{index}]\n"
            f"    return {self.word()}({result}, {self.word()}={second})\n"
        )

    def file(self, num_functions: int = 14) -> bytes:
        functions = [self.function() for _ in range(num_functions)]
        return "\n\n".join([f"import {self.word()}\n", *functions]).encode("ascii")

    def edit(self, text: bytes, similarity: float) -> bytes:
        """Replaces words, one after the other, as long as the text stays as similar as that."""
        original, edited = token_ngrams(text), text
        while True:
            source = edited.decode("ascii")
            places = [m for m in _WORD.finditer(source) if not keyword.iskeyword(m[0])]
            place = self.rng.choice(places)
            source = source[: place.start()] + self.word() + source[place.end() :]
            if jaccard(original, token_ngrams(source.encode("ascii"))) < similarity:
                return edited
            edited = source.encode("ascii")


def _plant_copies(corpus: Corpus, *, author: _Author, repositories: list[str]) -> None:
    """Plants exact and edited copies and chains of edits, each between repositories by chance."""
    for number, similarity in enumerate((1.0, 1.0, 1.0, 1.0, *SIMILARITIES)):
        text = author.file()
        kind = "exact" if similarity == 1 else "edited"
        first, second = author.rng.sample(repositories, 2)
        copy = text if similarity == 1 else author.edit(text, similarity)
        corpus.add(first, f"copied_{number}.py", text=text, kind=kind)
        corpus.add(second, f"lib/copied_{number}.py", text=copy, kind=kind)
    for number in range(2):
        text = author.file()
        for link, repository in enumerate(author.rng.sample(repositories, 5)):
            corpus.add(repository, f"chain_{number}_{link}.py", text=text, kind="chain")
            text = author.edit(text, 0.75)


def _plant_forks(corpus: Corpus, *, author: _Author, repositories: list[str]) -> None:
    """Plants forks: every second one under the name of the repository that it is a fork of.

    Some organisations sort before, some after that of the original.
    """
    for number, original in enumerate(repositories[:NUM_FORKS]):
        name = original.partition("/")[2] if number % 2 else f"renamed{number}"
        fork = f"{'beech' if number % 3 else 'yew'}{number}/{name}"
        corpus.forks[fork] = original
        for place in range(NUM_OWN_FILES):
            path = f"own_{place}.py"
            text = corpus.files[original, path]
            if place % 2:
                text = author.edit(text, 0.8)
            corpus.add(fork, path, text=text, kind="fork")
            corpus.kinds[original, path] = "forked"
        for repository in (fork, original):
            corpus.add(repository, "later.py", text=author.file(), kind="own")


def make_corpus(seed: int = 1) -> Corpus:
    """Makes up a corpus; the same seed gives the same one.

    Args:
      seed: Of the texts and of who copies from whom.

    Returns:
      The corpus.
    """
    author = _Author(seed)
    corpus = Corpus()
    repositories = [f"org{n % 17}/tool{n}" for n in range(NUM_REPOSITORIES - NUM_FORKS)]
    for repository in repositories:
        for place in range(NUM_OWN_FILES):
            corpus.add(repository, f"own_{place}.py", text=author.file(), kind="own")
    _plant_forks(corpus, author=author, repositories=repositories)
    _plant_copies(corpus, author=author, repositories=repositories)
    everybody = sorted(corpus.by_repository())
    vendored, patched = author.file(), author.file()
    for repository in everybody:
        corpus.add(repository, "vendor/compat.py", text=vendored, kind="vendored")
    for repository in author.rng.sample(everybody, 20):
        text = author.edit(patched, 0.9)
        corpus.add(repository, "vendor/patched.py", text=text, kind="patched")
    return corpus


def write_corpus(corpus: Corpus, root: pathlib.Path) -> None:
    """Writes a corpus in FLCC layout.

    Args:
      corpus: What to write.
      root: Gets the folder `v3`.
    """
    paths = collections.defaultdict(dict)
    for number, ((repository, path), text) in enumerate(sorted(corpus.files.items())):
        flat_name = f"{pathlib.PurePosixPath(path).stem}_{number}.py"
        paths[repository][flat_name] = path
        file = root / "v3/languages/Python/.py" / repository / "main" / flat_name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text)
    for repository, names in paths.items():
        file = root / "v3/repositories" / repository / "main/paths.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(names))
