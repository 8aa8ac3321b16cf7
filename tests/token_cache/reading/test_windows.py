from __future__ import annotations

import numpy as np
import pytest
import sparse_token_cache

from code_t5 import errors
from code_t5.token_cache import layout, memory_maps, reader
from code_t5.token_cache.reading import windows
from code_t5.token_cache.token_split import TokenSplit


def _split(documents, *, dtype=np.uint16, offsets=None):
    lengths = [len(document) for document in documents]
    return TokenSplit(
        tokens=np.array(sum(documents, []), dtype=dtype),
        offsets=np.cumsum([0, *lengths]) if offsets is None else np.array(offsets),
        sizes=np.zeros(len(documents), dtype=np.int64),
        name_bytes=np.zeros(0, dtype=np.uint8),
        name_offsets=np.zeros(len(documents) + 1, dtype=np.int64),
        split_name="train",
        fingerprint="abc",
    )


_DOCUMENTS = [[1, 2, 3, 4, 5, 6, 7], [], [8], [9, 10], [11, 12, 13, 14]]


def _every(windows_reader):
    return np.arange(windows_reader.num_windows)


def test_windows_across_documents_share_one_token():
    found = windows.WindowReader(_split(_DOCUMENTS), seq_len=4)
    assert found.num_windows == len(found) == 3
    assert found.read(_every(found)).tokens.tolist() == [
        [1, 2, 3, 4, 5],
        [5, 6, 7, 8, 9],
        [9, 10, 11, 12, 13],
    ]
    assert found.read(_every(found)).lengths.tolist() == [5, 5, 5]


def test_labels_are_the_inputs_shifted_by_one():
    found = windows.WindowReader(_split(_DOCUMENTS), seq_len=4).read(np.array([2, 0]))
    assert found.inputs.tolist() == [[9, 10, 11, 12], [1, 2, 3, 4]]
    assert found.labels.tolist() == [[10, 11, 12, 13], [2, 3, 4, 5]]
    assert found.inputs.dtype == found.labels.dtype == np.int64
    assert found.pairs(np.int32)[1].dtype == np.int32


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_inputs_may_be_changed_and_the_labels_stay(dtype):
    found = windows.WindowReader(_split(_DOCUMENTS), seq_len=4).read(np.array([0, 1]))
    inputs, labels = found.pairs(dtype)
    assert inputs.dtype == labels.dtype == dtype
    # TensorFlow copies what begins elsewhere.
    assert inputs.ctypes.data % 64 == 0
    inputs[:] = 0
    assert labels.tolist() == [[2, 3, 4, 5], [6, 7, 8, 9]]
    assert found.tokens.tolist() == [[1, 2, 3, 4, 5], [5, 6, 7, 8, 9]]


def test_windows_within_documents_are_filled_up():
    split = _split(_DOCUMENTS)
    found = windows.WindowReader(split, seq_len=4, cross_documents=False, pad_id=99)
    read = found.read(_every(found))
    assert read.tokens.tolist() == [
        [1, 2, 3, 4, 5],
        [5, 6, 7, 99, 99],
        [9, 10, 99, 99, 99],
        [11, 12, 13, 14, 99],
    ]
    assert read.lengths.tolist() == [5, 3, 2, 4]
    assert read.labels.tolist() == [
        [2, 3, 4, 5],
        [6, 7, -100, -100],
        [10, -100, -100, -100],
        [12, 13, 14, -100],
    ]


def test_segments_count_the_documents_of_a_window():
    found = windows.WindowReader(_split(_DOCUMENTS), seq_len=6)
    assert found.read(_every(found)).tokens[:, :-1].tolist() == [
        [1, 2, 3, 4, 5, 6],
        [7, 8, 9, 10, 11, 12],
    ]
    segments = found.segments(_every(found))
    assert segments.segment_ids.tolist() == [[1, 1, 1, 1, 1, 1], [1, 2, 3, 3, 4, 4]]
    assert segments.positions.tolist() == [[0, 1, 2, 3, 4, 5], [6, 0, 0, 1, 0, 1]]
    assert (segments.segment_ids.dtype, segments.positions.dtype) == (np.int32, np.int64)


def test_padding_is_segment_0():
    found = windows.WindowReader(_split(_DOCUMENTS), seq_len=4, cross_documents=False)
    assert found.segment_ids(np.array([1, 2])).tolist() == [[1, 1, 1, 0], [1, 1, 0, 0]]
    assert found.positions(np.array([1, 2])).tolist() == [[4, 5, 6, 0], [0, 1, 0, 0]]


def _expected_stream(documents, *, seq_len, overlap):
    """Returns for each window its tokens, and the document and place of each input."""
    stream = [
        (token, number, place)
        for number, document in enumerate(documents)
        for place, token in enumerate(document)
    ]
    step = seq_len - overlap
    found = []
    for start in range(0, len(stream) - seq_len, step):
        found.append(stream[start : start + seq_len + 1])
    return found


def _expected_documents(documents, *, seq_len, overlap):
    step = seq_len - overlap
    found = []
    for number, document in enumerate(documents):
        start, last = 0, -1
        # Until every token but the first has been a label.
        while last < len(document) - 1 and len(document) > 1:
            piece = document[start : start + seq_len + 1]
            found.append([(token, number, start + place) for place, token in enumerate(piece)])
            last = start + len(piece) - 1
            start += step
    return found


@pytest.mark.parametrize("cross_documents", [True, False])
@pytest.mark.parametrize("is_large", [False, True])
def test_windows_are_those_of_a_plain_program(tmp_path, monkeypatch, cross_documents, is_large):
    if is_large:
        monkeypatch.setattr(memory_maps, "RESIDENT_BYTES", 100)
    expect = _expected_stream if cross_documents else _expected_documents
    rng = np.random.default_rng(0)
    for number in range(12):
        lengths = rng.choice([0, 0, 1, 2, 3, 9, 40], size=30)
        documents = [rng.integers(1, 60_000, size=length).tolist() for length in lengths]
        ends = np.cumsum(lengths).tolist()
        tokens = {0: sum(documents, [])}
        folder = tmp_path / str(number)
        sparse_token_cache.write_cache(folder, num_tokens=ends[-1], ends=ends, pieces=tokens)
        split = reader.TokenCacheReader(folder).split("train")
        assert split.maps[layout.TOKENS].is_large == is_large
        seq_len = int(rng.integers(1, 20))
        overlap = int(rng.integers(0, seq_len))
        found = windows.WindowReader(
            split, seq_len=seq_len, overlap=overlap, cross_documents=cross_documents
        )
        expected = expect(documents, seq_len=seq_len, overlap=overlap)
        assert found.num_windows == len(expected)
        order = rng.permutation(len(expected))
        read, segments = found.read(order), found.segments(order)
        for row, index in enumerate(order):
            wanted, length = expected[index], len(expected[index])
            assert read.lengths[row] == length
            assert read.tokens[row, :length].tolist() == [token for token, _, _ in wanted]
            assert not read.tokens[row, length:].any()
            inputs = min(length, seq_len)
            places = [place for _, _, place in wanted][:inputs]
            assert segments.positions[row, :inputs].tolist() == places
            owners = [owner for _, owner, _ in wanted][:inputs]
            numbers = np.unique(owners, return_inverse=True)[1] + 1
            assert segments.segment_ids[row, :inputs].tolist() == numbers.tolist()
            assert not segments.segment_ids[row, inputs:].any()


def test_windows_of_documents_are_found_in_a_split_shorter_than_one():
    split = _split([[1, 2, 3], [4], [5, 6]])
    found = windows.WindowReader(split, seq_len=8, cross_documents=False).read(np.array([1, 0]))
    assert found.tokens.tolist() == [[5, 6] + 7 * [0], [1, 2, 3] + 6 * [0]]


def test_no_windows_are_read_for_no_indexes():
    for cross_documents in (True, False):
        found = windows.WindowReader(_split(_DOCUMENTS), seq_len=4, cross_documents=cross_documents)
        read = found.read(np.zeros(0, dtype=np.int64))
        assert read.tokens.shape == (0, 5) and read.labels.shape == (0, 4)
        assert found.segment_ids(np.zeros(0, dtype=np.int64)).shape == (0, 4)


def test_windows_may_be_changed_and_the_cache_stays():
    split = _split(_DOCUMENTS)
    found = windows.WindowReader(split, seq_len=4)
    found.read(np.array([0])).tokens[:] = 0
    assert found.read(np.array([0])).tokens.tolist() == [[1, 2, 3, 4, 5]]


def test_identity_says_what_numbers_hang_on():
    found = windows.WindowReader(_split(_DOCUMENTS), seq_len=4, overlap=1)
    assert found.identity == {
        "fingerprint": "abc",
        "split": "train",
        "seq_len": 4,
        "overlap": 1,
        "cross_documents": True,
        "num_windows": 4,
    }


@pytest.mark.parametrize("indexes", [[-1], [3], [0, 2**40]])
def test_windows_that_are_not_there_are_refused(indexes):
    found = windows.WindowReader(_split(_DOCUMENTS), seq_len=4)
    for method in (found.read, found.segments):
        with pytest.raises(IndexError, match="of 3 windows"):
            method(np.array(indexes))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"seq_len": 0}, "seq_len is 0; wanted a whole number of 1 or more"),
        ({"seq_len": 4.5}, "seq_len is 4.5; wanted a whole number"),
        ({"seq_len": 4, "overlap": "1"}, "overlap is '1'; wanted a whole number"),
        ({"seq_len": 14}, "14 tokens in 5 documents; wanted 15 tokens at least.*smaller seq_len"),
        ({"seq_len": 4, "overlap": 4}, "found overlap 4 with seq_len 4; wanted .* below seq_len"),
        ({"seq_len": 4, "overlap": -1}, "found overlap -1"),
        ({"seq_len": 4, "pad_id": -1}, "found pad_id -1; wanted 0 to 65,535"),
        ({"seq_len": 4, "pad_id": 65_536}, "as the tokens are uint16"),
    ],
)
def test_numbers_that_do_not_do_are_refused_in_one_line(options, match):
    with pytest.raises(errors.InputError, match=match) as caught:
        windows.WindowReader(_split(_DOCUMENTS), **options)
    assert "\n" not in str(caught.value)


def test_the_longest_seq_len_that_the_data_has_makes_one_window():
    found = windows.WindowReader(_split(_DOCUMENTS), seq_len=13)
    assert found.read(np.array([0])).tokens.tolist() == [list(range(1, 15))]


def test_documents_without_labels_have_no_windows():
    with pytest.raises(errors.InputError, match="wanted a document of two tokens at least"):
        windows.WindowReader(_split([[1], [], [2]]), seq_len=1, cross_documents=False)
    with pytest.raises(errors.InputError, match="0 tokens in 0 documents"):
        windows.WindowReader(_split([]), seq_len=1)


_FALLING = [0, 7, 5, 8, 10, 14]


def test_windows_within_documents_refuse_offsets_that_fall():
    with pytest.raises(errors.ArtifactError, match="falls from 7 to 5 at 2; wanted.*run the"):
        windows.WindowReader(_split(_DOCUMENTS, offsets=_FALLING), seq_len=4, cross_documents=False)


@pytest.mark.parametrize(
    "offsets", [_FALLING, [0, 9, 5, 8, 10, 14], [0, 2, 3, 2, 3, 14], [-9, -3, 9, 7, 8, 14]]
)
def test_segments_refuse_offsets_that_fall(offsets):
    found = windows.WindowReader(_split(_DOCUMENTS, offsets=offsets), seq_len=10)
    with pytest.raises(errors.ArtifactError, match=r"train.offsets.npy .*run the command"):
        found.segments(np.array([0]))


@pytest.mark.parametrize("dtype", ["<u2", "<u4"])
def test_windows_lie_right_beyond_32_bits(tmp_path, dtype):
    num_tokens = 2**32 + 5000
    marks = {2**31 - 2: [1, 2, 3, 4], 2**32 - 2: [5, 6, 7, 8], num_tokens - 3: [9, 10, 11]}
    ends = [100, 2**31, 2**32 + 1, num_tokens]
    folder = sparse_token_cache.write_cache(
        tmp_path / "cache", num_tokens=num_tokens, ends=ends, pieces=marks, dtype=dtype
    )
    assert (folder / "train.npy").stat().st_blocks < 1000
    split = reader.TokenCacheReader(folder).split("train")
    assert split.maps[layout.TOKENS].is_large
    found = windows.WindowReader(split, seq_len=8, overlap=7)
    assert found.num_windows == num_tokens - 8
    read = found.read(np.array([2**31 - 4, 2**32 - 4, num_tokens - 9]))
    assert read.tokens.tolist() == [
        [0, 0, 1, 2, 3, 4, 0, 0, 0],
        [0, 0, 5, 6, 7, 8, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 9, 10, 11],
    ]
    segments = found.segments(np.array([2**31 - 4, 2**32 - 4, num_tokens - 9]))
    assert segments.segment_ids[:2].tolist() == [[1] * 4 + [2] * 4, [1] * 5 + [2] * 3]
    assert segments.positions[0].tolist() == [2**31 - 104 + i for i in range(4)] + [0, 1, 2, 3]
    assert segments.positions[1, :5].tolist() == [2**31 - 4 + i for i in range(5)]
    within = windows.WindowReader(split, seq_len=1000, cross_documents=False, pad_id=7)
    last = within.read(np.array([within.num_windows - 1]))
    assert last.lengths.tolist() == [(num_tokens - 2**32 - 2) % 1000 + 1]
    assert last.tokens[0, last.lengths[0] - 3 : last.lengths[0] + 1].tolist() == [9, 10, 11, 7]
    assert within.num_windows == 1 + -(-(2**31 - 101) // 1000) + -(-(2**31) // 1000) + 5


@pytest.mark.parametrize("chunk", [1, 2, 4, 5])
def test_windows_of_documents_are_counted_over_several_chunks(monkeypatch, chunk):
    wanted = windows.WindowReader(_split(_DOCUMENTS), seq_len=4, cross_documents=False)
    monkeypatch.setattr(windows, "_CHUNK_DOCUMENTS", chunk)
    found = windows.WindowReader(_split(_DOCUMENTS), seq_len=4, cross_documents=False)
    assert found.num_windows == 4
    assert found.read(_every(found)).tokens.tolist() == wanted.read(_every(found)).tokens.tolist()
    with pytest.raises(errors.ArtifactError, match="falls from 7 to 5 at 2"):
        windows.WindowReader(_split(_DOCUMENTS, offsets=_FALLING), seq_len=4, cross_documents=False)


@pytest.mark.parametrize("indexes", [[True, False, True], [0.0, 1.0], ["0"], [None]])
def test_indexes_that_are_no_whole_numbers_are_refused(indexes):
    found = windows.WindowReader(_split(_DOCUMENTS), seq_len=4)
    for method in (found.read, found.segments, found.segment_ids, found.positions):
        with pytest.raises(errors.InputError, match="wanted whole numbers; of a mask give"):
            method(np.array(indexes))


def test_indexes_may_be_a_list_or_of_any_whole_type():
    found = windows.WindowReader(_split(_DOCUMENTS), seq_len=4)
    for indexes in ([1], np.array([1], dtype=np.uint8), np.array([1], dtype=np.uint64)):
        assert found.read(indexes).tokens.tolist() == [[5, 6, 7, 8, 9]]
    assert found.read([]).tokens.shape == (0, 5)
    with pytest.raises(IndexError, match="of 3 windows"):
        found.read(np.array([2**63 + 1], dtype=np.uint64))
