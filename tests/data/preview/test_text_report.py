from __future__ import annotations

import dataclasses
import re

from fake_word_vocabulary import packed_arrays, reader

from code_t5.data.preview import (
    number_report,
    packed_rows,
    preview_config,
    program,
    text_report,
)
from code_t5.data.preview.terminal_style import Style

_PLAIN, _COLOURED = Style(width=100), Style(is_coloured=True, width=100)


def _lines(sample, style, *, num_examples=9, max_lines=0):
    return [
        *text_report.header_facts(sample),
        *text_report.row_lines(sample, num_examples=num_examples, max_lines=max_lines, style=style),
        *number_report.summary_lines(sample, style),
        *number_report.suggestion_lines(sample, style),
    ]


def test_rows_are_shown_with_their_examples(sample):
    shown = "\n".join(_lines(sample, _PLAIN))
    assert "Row 1  2 examples" in shown
    assert "inputs  " + "█" * 24 + "▒" * 16 + "·" * 24 + " 5 of 8 tokens (62%)" in shown
    assert "┌─ example 2 of 2" in shown
    assert " │   alpha␛[31m⟦end⟧" in shown
    assert " │   ⟦extra_id_0⟧ beta⟦end⟧" in shown
    assert "⟦unknown 2⟧" in shown
    assert "   targets ⟦padding × 3⟧" in shown


def test_inputs_and_targets_that_are_paired_wrongly_are_pointed_out(sample):
    assert "\n".join(_lines(sample, _PLAIN)).count(text_report.UNPAIRED) == 1


def test_no_more_examples_are_shown_than_asked_for(sample):
    shown = "\n".join(_lines(sample, _PLAIN, num_examples=1))
    assert "example 1 of 2" in shown
    assert "example 2 of 2" not in shown
    assert "⋯ 1 more in this row" in shown
    assert "Row 2" not in shown
    assert "Row 1" not in "\n".join(_lines(sample, _PLAIN, num_examples=0))


def test_long_texts_are_shortened(sample):
    assert "⋯ 1 line left out ⋯" in "\n".join(_lines(sample, _PLAIN, max_lines=2))


def test_nothing_reaches_the_terminal_but_colours(sample):
    shown = "\n".join(_lines(sample, _COLOURED))
    assert "\x1b[1;35m⟦extra_id_0⟧\x1b[0m" in shown
    left = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert "\x1b" not in left and "\x07" not in left
    assert left.replace("\n", "").isprintable()
    assert "\x1b" not in "\n".join(_lines(sample, _PLAIN))


def test_names_of_features_and_of_the_task_are_written_harmlessly(sample):
    evil = "labels\x1b[2J\x9b"
    row = packed_rows.read_row(packed_arrays(**{evil: [[3, 4, 1]], "targets": [[3, 1]]}))
    trial = dataclasses.replace(
        sample.measured.given,
        sequence_length={evil: 8, "targets": 8},
        examples={evil: sample.measured.given.examples["inputs"]},
    )
    hostile = dataclasses.replace(
        sample,
        rows=[row],
        readers={name: reader() for name in (evil, "targets")},
        measured=dataclasses.replace(sample.measured, given=trial, window=trial),
    )
    lines = program._sample_lines(hostile, preview_config.PreviewConfig(), _PLAIN)
    shown = "\n".join(lines)
    assert shown.replace("\n", "").isprintable()
    assert shown.startswith("small\u241b]0;evil\u2407_task\n")
    assert shown.count("labels\u241b[2J\u27e8U+009B\u27e9") >= 6


def test_numbers_are_those_of_the_rows(sample):
    assert number_report.fill_of(sample) == {"inputs": 11 / 16, "targets": 9 / 16}
    assert number_report.rows_counted(sample) == "4 examples in 2 rows; 3 documents"
    table = number_report.length_table(sample)
    assert table[0] == [
        "tokens", "mean", "10 %", "50 %", "90 %", "99 %", "longest", "at the limit",
    ]  # fmt: skip
    assert table[2] == ["targets", "2.2", "2", "2", "3", "3", "3", "0.0%"]
    assert table[3] == ["documents", "1,770.0", "10", "300", "5,000", "5,000", "5,000", ""]


def test_settings_can_be_pasted(sample):
    shown = _lines(sample, _PLAIN)
    assert "  utils.run.sequence_length = {'inputs': 16, 'targets': 16}" in shown
    assert "  See them with --sequence_length=inputs=16,targets=16 --nopack" in shown
