"""What is read out of the trainer's log."""

from __future__ import annotations

import pytest

from code_t5.training import logs


def step_line(step, loss):
    return f"step, tf_loss[{loss}][{step}]\n"


def test_reader_returns_the_newest_step_and_only_once(tmp_path):
    log = tmp_path / "log"
    reader = logs.ProgressReader(log)
    assert reader.read() is None
    log.write_text("importing\n" + step_line(1, 9.5) + "global_step/sec: 3\n" + step_line(2, 8.25))
    assert reader.read() == logs.News(step=2, loss=8.25)
    assert reader.read() is None


def test_reader_waits_for_the_end_of_a_line(tmp_path):
    log = tmp_path / "log"
    reader = logs.ProgressReader(log)
    line = step_line(17, 3.5)
    log.write_text(line[:-4])
    assert reader.read() is None
    log.write_text(line)
    assert reader.read() == logs.News(step=17, loss=3.5)


def test_reader_counts_batches_of_an_evaluation(tmp_path):
    log = tmp_path / "log"
    log.write_text("INFO: Evaluation [10/100]\nINFO: Evaluation [20/100]\n")
    assert logs.ProgressReader(log).read() == logs.News(step=20, loss=None)


def test_reader_knows_the_speed_and_the_loss_per_token_once_the_log_said_so(tmp_path):
    log = tmp_path / "log"
    log.write_text(
        step_line(1, 3.0)
        + "I1122 08:17 fill_log.py:99] Step 100: a batch held 1,536 tokens of inputs (50.0% of the "
        "room), 768 tokens of targets (25.0% of the room)\n"
        + "I1122 08:17 watch.py:80] step 2: 4.00 steps/s, 9216 tokens/s, fill 37.5%, waited 0.2% "
        "for data\n" + step_line(2, 1.0)
    )
    reader = logs.ProgressReader(log)
    # The mean of both steps, over the quarter of the positions that hold a token.
    wanted = logs.News(step=2, loss=1.0, loss_per_token=8.0, tokens_per_second=9216.0)
    assert reader.read() == wanted
    with open(log, "a") as file:
        file.write(step_line(3, 2.0))
    wanted = logs.News(step=3, loss=2.0, loss_per_token=8.0, tokens_per_second=9216.0)
    assert reader.read() == wanted


def test_losses_of_a_resumed_run_replace_those_after_its_checkpoint(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    first = [step_line(step, 10 - step) for step in range(1, 6)]
    (folder / "train-1.log").write_text("".join(first))
    # Killed at step 5, resumed from a checkpoint at 3; the tenth log comes after the second.
    (folder / "train-2.log").write_text("it failed before the first step\n")
    (folder / "train-10.log").write_text(step_line(4, 5.5) + step_line(5, 5.25))
    (folder / "evaluate-1.log").write_text(step_line(9, 1))
    found = logs.read_step_losses(tmp_path, name="train")
    assert [(entry.step, entry.loss) for entry in found] == [
        (1, 9),
        (2, 8),
        (3, 7),
        (4, 5.5),
        (5, 5.25),
    ]


@pytest.mark.parametrize(
    "text, message",
    [
        (
            'Traceback (most recent call last):\n  File "x.py", line 1, in f\n'
            "ValueError: no such name\n  In call to configurable 'run'\n",
            "ValueError: no such name",
        ),
        ("tensorflow.errors.ResourceExhaustedError: OOM when allocating\n", "ResourceExhausted"),
        ("a.b.NotBuiltError: found no data set x\nbye\n", "NotBuiltError: found no data set x"),
        ("warming up\nsegmentation fault\n\n", "segmentation fault"),
        ("KeyboardInterrupt\n", "KeyboardInterrupt"),
        ("", "it printed nothing"),
    ],
)
def test_last_error_is_the_exception_or_the_last_words(tmp_path, text, message):
    log = tmp_path / "log"
    log.write_text(text)
    found = logs.last_error(log)
    assert message in found
    assert "\n" not in found


def test_last_error_is_our_own_line_where_the_trainer_ends_with_one(tmp_path):
    log = tmp_path / "log"
    log.write_text("ValueError: of something that was caught\nerror: found no data set x\n\n")
    assert logs.last_error(log) == "found no data set x"


def test_last_error_is_cut_to_a_line_that_can_be_read(tmp_path):
    log = tmp_path / "log"
    log.write_text("RuntimeError: " + "x" * 10_000)
    assert len(logs.last_error(log)) == 500
