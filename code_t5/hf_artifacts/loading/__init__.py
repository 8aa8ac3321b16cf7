"""Data sets read from what is cached, by the arguments of `datasets.load_dataset`.

`load` is what users call; `local_files` are not looked up. `dataset_request` holds what is asked
for, `places` where it may lie, `revisions` and `configs` which commit and configuration is meant.
`candidates` goes through the places: `arrow_place` (opened by `arrow_reading`), `snapshot_place`
(its files by `cards` and `snapshot_files`, read by `snapshot_reading`) and `saved_place`. `tried`
says why none of them was taken.
"""
