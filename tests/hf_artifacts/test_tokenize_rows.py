from __future__ import annotations

import json

import pytest

from code_t5 import errors
from code_t5.hf_artifacts.built import tokenize_rows
from code_t5.hf_artifacts.built.built_request import TokenizingOptions
from code_t5.hf_artifacts.built.tokenize_rows import RowTokenizer

_PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "ada", "love", "##lace", "was", "in", "par", "##is")


@pytest.fixture(scope="module")
def tokenizer_dir(tmp_path_factory):
    """A BERT tokenizer of eleven pieces, whose ids are known."""
    import tokenizers
    import transformers
    from tokenizers import models, normalizers, pre_tokenizers, processors

    vocabulary = {piece: place for place, piece in enumerate(_PIECES)}
    backend = tokenizers.Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    folder = tmp_path_factory.mktemp("tokenizer")
    transformers.BertTokenizerFast(tokenizer_object=backend).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def byte_tokenizer_dir(tmp_path_factory):
    """A tokenizer of bytes as GPT-2 has it, without padding."""
    import transformers
    from small_tokenizer import hugging_face_tokenizer

    folder = tmp_path_factory.mktemp("bytes")
    backend = hugging_face_tokenizer().backend_tokenizer
    made = transformers.GPT2TokenizerFast(tokenizer_object=backend, eos_token="<end>")
    made.save_pretrained(folder)
    return str(folder)


def _features(**columns):
    import datasets

    kinds = {
        "text": datasets.Value("string"),
        "words": datasets.Sequence(datasets.Value("string")),
        "label": datasets.ClassLabel(names=["no", "yes"]),
        "labels": datasets.Sequence(datasets.ClassLabel(names=["O", "PER", "LOC"])),
        "number": datasets.Value("float32"),
    }
    return datasets.Features({name: kinds[kind] for name, kind in columns.items()})


def _made(folder: str, features, **options: object) -> RowTokenizer:
    return RowTokenizer(TokenizingOptions(folder, **options), features=features)


def test_words_become_pieces_and_the_first_piece_has_the_label(tokenizer_dir):
    features = _features(tokens="words", tags="labels")
    made = _made(tokenizer_dir, features, label_column="tags")
    batch = {"tokens": [["Ada", "Lovelace", "was"], ["Paris"]], "tags": [[1, 1, 0], [2]]}
    found = made(batch, [0, 1])
    assert found["input_ids"] == [[2, 4, 5, 6, 7, 3], [2, 9, 10, 3]]
    assert found["labels"] == [[-100, 1, 1, -100, 0, -100], [-100, 2, -100, -100]]
    assert found["attention_mask"] == [[1] * 6, [1] * 4]
    assert made.label_names == ("O", "PER", "LOC")


def test_what_is_cut_off_loses_its_labels_and_what_is_filled_up_gets_none(tokenizer_dir):
    features = _features(tokens="words", tags="labels")
    made = _made(tokenizer_dir, features, label_column="tags", max_length=5, padding="max_length")
    batch = {"tokens": [["Ada", "Lovelace", "was"], ["in"]], "tags": [[1, 2, 0], [2]]}
    found = made(batch, [0, 1])
    assert found["input_ids"] == [[2, 4, 5, 6, 3], [2, 8, 3, 0, 0]]
    assert found["labels"] == [[-100, 1, 2, -100, -100], [-100, 2, -100, -100, -100]]
    assert found["attention_mask"] == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]


def test_text_and_its_label_are_kept_together(tokenizer_dir):
    made = _made(tokenizer_dir, _features(text="text", label="label"), label_column="label")
    found = made({"text": ["ada was", ""], "label": [1, 0]}, [0, 1])
    assert found["input_ids"] == [[2, 4, 7, 3], [2, 3]]
    assert found["labels"] == [1, 0]
    assert made.label_names == ("no", "yes")
    assert made.features["labels"].dtype == "int64"


def test_a_pair_becomes_one_row(tokenizer_dir):
    features = _features(a="text", b="text")
    made = _made(tokenizer_dir, features, text_columns=("a", "b"), add_special_tokens=True)
    found = made({"a": ["ada"], "b": ["was in"]}, [0])
    assert found["input_ids"] == [[2, 4, 3, 7, 8, 3]]
    assert found["token_type_ids"] == [[0, 0, 0, 1, 1, 1]]


def test_in_a_pair_of_word_lists_the_labels_are_of_the_first(tokenizer_dir):
    features = _features(a="words", b="words", tags="labels")
    made = _made(tokenizer_dir, features, text_columns=("a", "b"), label_column="tags")
    found = made({"a": [["ada"]], "b": [["was", "in"]], "tags": [[1]]}, [0])
    assert found["labels"] == [[-100, 1, -100, -100, -100, -100]]


def test_special_tokens_can_be_left_out(tokenizer_dir):
    made = _made(tokenizer_dir, _features(text="text"), add_special_tokens=False)
    assert made({"text": ["ada"]}, [0])["input_ids"] == [[4]]


def test_the_columns_that_come_out_are_typed(tokenizer_dir):
    made = _made(tokenizer_dir, _features(x="text", y="number"), label_column="y")
    features = made.features
    assert list(features) == ["input_ids", "token_type_ids", "attention_mask", "labels"]
    assert features["input_ids"].feature.dtype == "int32"
    assert features["attention_mask"].feature.dtype == "int8"
    assert features["labels"].dtype == "float64"


def test_gpt2_takes_words_as_well(byte_tokenizer_dir):
    made = _made(byte_tokenizer_dir, _features(tokens="words", t="labels"), label_column="t")
    found = made({"tokens": [["a", "bc"]], "t": [[1, 2]]}, [0])
    text = made.tokenizer.decode(found["input_ids"][0])
    assert text == " a bc"
    assert found["labels"] == [[1, -100, 2, -100, -100]]


def test_tokens_are_chosen_where_several_columns_hold_words(tokenizer_dir):
    features = _features(tokens="words", langs="words", spans="words")
    assert _made(tokenizer_dir, features).columns == ("tokens",)


@pytest.mark.parametrize(
    ("columns", "options", "told"),
    [
        ({"a": "text", "b": "text"}, {}, r"2 columns hold text \(a, b\); .*--text_columns"),
        ({"a": "number"}, {}, r"0 columns hold text \(of a\)"),
        ({"a": "text"}, {"text_columns": ("b",)}, "the column 'b' is not there; .* of a;"),
        ({"a": "text", "n": "number"}, {"text_columns": ("n",)}, "the column 'n' is no text"),
        ({"a": "text"}, {"label_column": "b"}, "the column 'b' holds no labels"),
        ({"a": "text", "b": "text"}, {"text_columns": ("a",), "label_column": "b"}, "no labels"),
        ({"a": "text", "t": "labels"}, {"label_column": "t"}, "t holds a list of labels .* one te"),
        ({"a": "text", "w": "words"}, {"text_columns": ("a", "w")}, "one holds text and one lists"),
    ],
)
def test_columns_that_do_not_fit_are_refused(tokenizer_dir, columns, options, told):
    with pytest.raises(errors.InputError, match=told):
        _made(tokenizer_dir, _features(**columns), **options)


@pytest.mark.parametrize(
    ("batch", "told"),
    [
        ({"tokens": [["ada"], None], "t": [[1], [1]]}, "row 8 has nothing in tokens"),
        ({"tokens": [["ada"], ["in", None]], "t": [[1], [1, 2]]}, "row 8 has nothing in tokens"),
        ({"tokens": [["ada"], ["in"]], "t": [[1], [1, 2]]}, "row 8 has 1 words in tokens and 2 la"),
        ({"tokens": [["ada"], ["in"]], "t": [[1], None]}, "row 8 has 1 words in tokens and 0 labe"),
    ],
)
def test_a_row_that_cannot_be_made_ids_is_named(tokenizer_dir, batch, told):
    made = _made(tokenizer_dir, _features(tokens="words", t="labels"), label_column="t")
    with pytest.raises(errors.InputError, match=told):
        made(batch, [7, 8])


def test_a_tokenizer_that_is_not_there_is_told_with_the_command_that_fetches_it(tmp_path):
    with pytest.raises(tokenize_rows.NoTokenizerError) as caught:
        tokenize_rows.load_tokenizer("no/such-tokenizer")
    told = str(caught.value)
    assert "wanted it in the cache; where there is a network run python scripts/precache.py" in told
    assert told.endswith("--models no/such-tokenizer") and "\n" not in told


def test_rows_are_not_filled_up_without_a_token_for_it(byte_tokenizer_dir):
    with pytest.raises(errors.InputError, match="has no token to fill rows up with"):
        _made(byte_tokenizer_dir, _features(a="text"), max_length=4, padding="max_length")


def test_labels_need_to_know_which_word_a_piece_is_of(tmp_path):
    import transformers

    (tmp_path / "vocab.txt").write_text("\n".join(_PIECES))
    transformers.BertTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert settings["tokenizer_class"] == "BertTokenizer"
    slow = transformers.BertTokenizer(str(tmp_path / "vocab.txt"))
    made = _made(str(tmp_path), _features(tokens="words", t="labels"), label_column="t")
    made.tokenizer = slow
    with pytest.raises(errors.InputError, match="written in Python and does not say which word"):
        made._check_tokenizer()


def test_the_identity_changes_with_the_vocabulary_and_not_with_a_call(tokenizer_dir, tmp_path):
    first = tokenize_rows.load_tokenizer(tokenizer_dir)
    second = tokenize_rows.load_tokenizer(tokenizer_dir)
    second(["ada", "in"], padding="max_length", max_length=9, truncation=True)
    assert tokenize_rows.describe_tokenizer(first) == tokenize_rows.describe_tokenizer(second)
    second.add_tokens(["more"])
    assert tokenize_rows.describe_tokenizer(first) != tokenize_rows.describe_tokenizer(second)
    third = tokenize_rows.load_tokenizer(tokenizer_dir)
    third.padding_side = "left"
    assert tokenize_rows.describe_tokenizer(first) != tokenize_rows.describe_tokenizer(third)


def test_code_that_comes_with_a_tokenizer_is_not_run(tokenizer_dir, tmp_path):
    import shutil

    folder = shutil.copytree(tokenizer_dir, tmp_path / "hostile")
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings["auto_map"] = {"AutoTokenizer": ["evil.Evil", "evil.Evil"]}
    settings["tokenizer_class"] = "Evil"
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Evil: pass\n")
    with pytest.raises(tokenize_rows.NoTokenizerError):
        tokenize_rows.load_tokenizer(str(folder))
    assert not (tmp_path / "ran").exists()
