"""The runner of notebook-like pages finds what is wrong with them."""

from __future__ import annotations

import notebook_page

_PAGE = """
```python
x = 2
print(x)
```

```text
2
```
Words between a block and another's output.

```
not run
```

```shell
echo three
```
```text
three
```
```python
print(x + 1)
```
"""


def test_blocks_are_found_with_their_outputs():
    blocks = notebook_page.read_blocks(_PAGE)
    assert [(b.language, b.line, b.output) for b in blocks] == [
        ("python", 3, "2\n"),
        ("shell", 17, "three\n"),
        ("python", 23, None),
    ]


def _run(tmp_path, text, capsys):
    page = tmp_path / "page.md"
    page.write_text(text)
    return notebook_page.run_page(str(page)), capsys.readouterr().out


def test_page_that_holds_passes(tmp_path, capsys):
    assert _run(tmp_path, _PAGE, capsys) == (0, "")


def test_other_output_is_shown(tmp_path, capsys):
    status, printed = _run(tmp_path, _PAGE.replace("2\n```", "4\n```"), capsys)
    assert status == 1
    assert "-4\n+2\n" in printed


def test_line_of_an_error_is_that_of_the_page(tmp_path, capsys):
    status, printed = _run(tmp_path, _PAGE.replace("x + 1", "y + 1"), capsys)
    assert status == 1
    assert "page.md:23: " in printed
    assert "line 23, in <module>" in printed and "NameError" in printed


def test_command_that_fails_is_shown(tmp_path, capsys):
    status, printed = _run(tmp_path, _PAGE.replace("echo three", "ls nothing"), capsys)
    assert status == 1
    assert "page.md:17: " in printed and "nothing" in printed
