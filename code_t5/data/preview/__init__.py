"""Shows what a Task or Mixture gives the model, before anything is trained on it.

`sampling` takes rows from the trainer's own input function (`input_function`) and lengths from the
Tasks below it, `listing` lists what is registered; both need TensorFlow. The rest does not:
`pieces` turns ids into pieces of text, `packed_rows` takes rows apart, `lengths` and `suggestions`
reckon, and `text_report` and `html_report` write, through `code_t5.visible_text`, which makes
hostile text safe to look at. `program` puts them together.

Words: a *row* is what the trainer puts into a batch, one line of it: packed examples, or a single
one. A *document* is the ids of one source file, before an objective makes examples of it.
"""

from __future__ import annotations
