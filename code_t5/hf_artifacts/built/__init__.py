"""Data sets that are processed once and read by every training: built below `./data`.

`built_request` says what is wanted and what its folder is called, `build` makes it (from
`source_rows`, by `subset`, `tokenize_rows`, `split_writer` and `staging`), `built_record` is what
the folder says of itself, and `find` is how it is read.
"""
