"""Rows of text, or of words with labels, as the ids of a Hugging Face tokenizer.

A word may become several *pieces*: the first gets the word's label, the others and the tokenizer's
own tokens get `IGNORED`, which torch's losses pass over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from code_t5 import errors
from code_t5.hf_artifacts import cache_root
from code_t5.hf_artifacts.built.built_request import TokenizingOptions
from code_t5.library_errors import one_line
from code_t5.storage import fingerprints

IGNORED = -100
# Where a data set has several columns of words or text.
_USUAL_COLUMN = "tokens"
_LABELS = "labels"


class NoTokenizerError(errors.InputError):
    """There is no such tokenizer, or it does not load."""


class RowTokenizer:
    """Turns batches of rows into columns of ids; processes get a copy each.

    Attributes:
      columns: Of the text: one, or two that are a pair.
      takes_words: Whether they hold lists of words.
      label_names: What the numbers in `labels` stand for; empty if the data set does not say.
    """

    def __init__(self, options: TokenizingOptions, *, features: Mapping[str, Any]) -> None:
        """Loads the tokenizer and chooses the columns.

        Args:
          options: What is wanted.
          features: Of the data set, as `datasets` has them.

        Raises:
          InputError: There is no such tokenizer or column, or they do not fit.
        """
        self._options = options
        self.columns = _choose_columns(options, features)
        self.takes_words = _is_words(features[self.columns[0]])
        if any(_is_words(features[column]) != self.takes_words for column in self.columns):
            raise errors.InputError(
                f"of the columns {' and '.join(self.columns)} one holds text and one lists of "
                "words; wanted a pair of one kind; name other --text_columns"
            )
        self._label_feature, self.label_names = _read_labels(options, features)
        self._aligns = options.label_column is not None and _is_list(self._label_feature)
        self.tokenizer = load_tokenizer(options.tokenizer_name, takes_words=self.takes_words)
        self._check_tokenizer()

    def _check_tokenizer(self) -> None:
        """Refuses a tokenizer that cannot do what is wanted.

        Raises:
          InputError: It cannot align labels, or has no token to fill rows up with.
        """
        name = self._options.tokenizer_name
        if self._aligns and not self.takes_words:
            raise errors.InputError(
                f"{self._options.label_column} holds a list of labels in each row and "
                f"{self.columns[0]} one text; wanted labels of words beside words; name other "
                "--text_columns or another --label_column"
            )
        if self._aligns and not self.tokenizer.is_fast:
            raise errors.InputError(
                f"the tokenizer {name} is written in Python and does not say which word a piece is "
                "of; wanted one with a tokenizer.json to give labels to pieces; name another "
                "--tokenizer_name"
            )
        if self._options.padding != "none" and self.tokenizer.pad_token is None:
            raise errors.InputError(
                f"the tokenizer {name} has no token to fill rows up with (pad_token); wanted one "
                "for --padding; leave it out"
            )

    @property
    def identity(self) -> dict[str, Any]:
        """JSON that changes whenever the ids of a text may."""
        return describe_tokenizer(self.tokenizer)

    @property
    def features(self) -> Any:
        """The columns that come out, as `datasets.Features`."""
        import datasets

        numbers = {"input_ids": "int32", "attention_mask": "int8", "token_type_ids": "int8"}
        found = {
            name: datasets.Sequence(datasets.Value(numbers.get(name, "int64")))
            for name in self._encode([["a"] if self.takes_words else "a"] * len(self.columns))
        }
        if self._options.label_column is not None:
            is_real = _dtype(self._label_feature).startswith(("float", "double"))
            label = datasets.Value("float64" if is_real else "int64")
            found[_LABELS] = datasets.Sequence(label) if self._aligns else label
        return datasets.Features(found)

    def __call__(self, batch: Mapping[str, list[Any]], places: Sequence[int]) -> dict[str, Any]:
        """Encodes some rows.

        Args:
          batch: Column -> values.
          places: Of the rows in their split, for messages.

        Returns:
          Column -> values.

        Raises:
          InputError: A row has no text, or not one label for each word.
        """
        texts = [list(batch[column]) for column in self.columns]
        for column, values in zip(self.columns, texts):
            self._check_texts(column, values, places=places)
        encoded = self._encode(texts)
        found = {name: list(encoded[name]) for name in encoded}
        label_column = self._options.label_column
        if label_column is None:
            return found
        labels = list(batch[label_column])
        if self._aligns:
            self._check_lengths(texts[0], labels, places=places)
            found[_LABELS] = [
                align_labels(given, word_ids=_words_of_first(encoded, row))
                for row, given in enumerate(labels)
            ]
        else:
            found[_LABELS] = labels
        return found

    def _check_texts(self, column: str, values: Sequence[Any], *, places: Sequence[int]) -> None:
        """Refuses rows without text.

        Raises:
          InputError: There is one.
        """
        for place, value in zip(places, values):
            if value is None or (self.takes_words and None in value):
                raise errors.InputError(
                    f"row {place} has nothing in {column}; wanted text; leave such rows out of "
                    "the data set, or name other --text_columns"
                )

    def _check_lengths(
        self, texts: Sequence[Any], labels: Sequence[Any], *, places: Sequence[int]
    ) -> None:
        """Refuses rows that have not one label for each word.

        Raises:
          InputError: There is one.
        """
        for place, words, given in zip(places, texts, labels):
            if given is None or len(words) != len(given):
                raise errors.InputError(
                    f"row {place} has {len(words)} words in {self.columns[0]} and "
                    f"{len(given or ())} labels in {self._options.label_column}; wanted as many; "
                    "name the columns that belong together"
                )

    def _encode(self, texts: list[Any]) -> Any:
        options = self._options
        return self.tokenizer(
            *texts,
            is_split_into_words=self.takes_words,
            add_special_tokens=options.add_special_tokens,
            truncation=options.max_length is not None,
            max_length=options.max_length,
            padding=False if options.padding == "none" else options.padding,
            verbose=False,
        )


def align_labels(labels: Sequence[int], *, word_ids: Sequence[int | None]) -> list[int]:
    """Gives the labels of words to their first pieces.

    Args:
      labels: One for each word.
      word_ids: Of each piece the word that it is of; None for the tokenizer's own tokens.

    Returns:
      One for each piece.

    >>> align_labels([3, 5], word_ids=[None, 0, 0, 1, None])
    [-100, 3, -100, 5, -100]
    """
    before = [None, *word_ids]
    return [
        IGNORED if word is None or word == last else labels[word]
        for last, word in zip(before, word_ids)
    ]


def _words_of_first(encoded: Any, row: int) -> list[int | None]:
    """Returns of each piece of a row the word; None for those of the second text of a pair."""
    return [
        word if sequence == 0 else None
        for word, sequence in zip(encoded.word_ids(row), encoded.sequence_ids(row))
    ]


def load_tokenizer(name: str, *, takes_words: bool = False) -> Any:
    """Loads a tokenizer; code that comes with one is not run.

    Args:
      name: On the Hub, or a folder.
      takes_words: Whether it will get lists of words.

    Returns:
      The tokenizer of `transformers`.

    Raises:
      NoTokenizerError: There is none.
    """
    import transformers

    is_offline = cache_root.is_offline()
    known = {"trust_remote_code": False, "local_files_only": is_offline}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, **known)
        if takes_words and getattr(tokenizer, "add_prefix_space", None) is False:
            # GPT-2 and its kin take words only so; a word's first piece is that of a word after a
            # blank.
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                name, add_prefix_space=True, **known
            )
    except Exception as error:
        where = "in the cache" if is_offline else "on the Hub or in the cache"
        raise NoTokenizerError(
            f"the tokenizer {name!a} does not load ({one_line(error)}); wanted it {where}; where "
            f"there is a network run python scripts/precache.py --models {name}"
        ) from error
    return tokenizer


def describe_tokenizer(tokenizer: Any) -> dict[str, Any]:
    """Returns JSON that changes whenever the ids of a text may.

    Args:
      tokenizer: Of `transformers`.
    """
    if tokenizer.is_fast:
        content = json.loads(tokenizer.backend_tokenizer.to_str())
        # They are set at each call.
        content.update(padding=None, truncation=None)
        words: Any = content
    else:
        words = [sorted(tokenizer.get_vocab().items()), repr(sorted(tokenizer.init_kwargs.items()))]
    return {
        "class": type(tokenizer).__name__,
        "content": fingerprints.hash_json(words),
        "columns": list(tokenizer.model_input_names),
        "pad_id": tokenizer.pad_token_id,
        "sides": [tokenizer.padding_side, tokenizer.truncation_side],
    }


def _choose_columns(options: TokenizingOptions, features: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the columns of text.

    Raises:
      InputError: One that is named is none, or none is named and it is not clear which.
    """
    fitting = [name for name, feature in features.items() if _is_text(feature)]
    wordy = [name for name, feature in features.items() if _is_words(feature)]
    known = ", ".join(features)
    for column in options.text_columns:
        if column not in (*fitting, *wordy):
            what = "no text" if column in features else "not there"
            raise errors.InputError(
                f"the column {column!a} is {what}; wanted a column of text or of lists of words, "
                f"of {known}; name one with --text_columns"
            )
    if options.text_columns:
        return options.text_columns
    if _USUAL_COLUMN in wordy:
        return (_USUAL_COLUMN,)
    if len(found := fitting or wordy) != 1:
        raise errors.InputError(
            f"{len(found)} columns hold text ({', '.join(found) or 'of ' + known}); wanted to know "
            "which is made ids; name it with --text_columns"
        )
    return (found[0],)


def _read_labels(
    options: TokenizingOptions, features: Mapping[str, Any]
) -> tuple[Any, tuple[str, ...]]:
    """Returns the feature of the labels, and what they are called.

    Raises:
      InputError: The column holds no labels.
    """
    column = options.label_column
    if column is None:
        return None, ()
    feature = features.get(column)
    label = _inner(feature) if _is_list(feature) else feature
    if not _dtype(label).startswith(("int", "uint", "bool", "float", "double")):
        raise errors.InputError(
            f"the column {column!a} holds no labels; wanted numbers, or lists of numbers, in one "
            f"of {', '.join(features)}; name it with --label_column"
        )
    return feature, tuple(getattr(label, "names", None) or ())


def _inner(feature: Any) -> Any:
    """Returns what a list holds; `datasets` writes lists in two ways."""
    return feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)


def _is_list(feature: Any) -> bool:
    return _inner(feature) is not None


def _dtype(feature: Any) -> str:
    return str(getattr(_inner(feature) if _is_list(feature) else feature, "dtype", ""))


def _is_text(feature: Any) -> bool:
    return not _is_list(feature) and _dtype(feature) in ("string", "large_string")


def _is_words(feature: Any) -> bool:
    return _is_list(feature) and _is_text(_inner(feature))
