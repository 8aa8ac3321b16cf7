"""What a teacher said, stored for its students: samples of named arrays in shards, mapped to read.

with OutputsWriter("cached_train", plan) as writer:
    for index in writer.missing_shards():
        writer.write_shard(index, samples_of(index))
    writer.publish()
outputs = open_outputs("cached_train", expected={"teacher": description})
outputs[5]["x"]                                    # a view of the map
outputs.read([5, 3])                               # {"x": float32 [2, ...], ...}

`schema` says what a sample is, `codec` makes the most likely tokens of a distribution small,
`torch_outputs`, `tf_outputs` and `pt_file` hand samples to frameworks.
"""
