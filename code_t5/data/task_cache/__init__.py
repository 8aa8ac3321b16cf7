"""Task caches written without Beam and without TensorFlow, for seqio to read.

A *task cache* is what seqio reads in place of a Task's data set and of every preprocessor up to its
`CacheDatasetPlaceholder`: a directory with the Task's name that holds shards of examples. Ours also
holds a manifest, which says what the cache was made of, and the same tokens once more as a token
cache (`code_t5.token_cache`) in the folder `tokens`.

    <output cache directory>/<task>/
        train.tfrecord-00000-of-00064 …   examples {"path", "repository", "targets"}
        info.train.json  stats.train.json
        tokens/                           token cache of the same documents in the same order
        manifest.json  COMPLETED

A *shard job* makes one output shard of a stretch of the source's records. Tasks of one data set
have the same content before their objective, so it is encoded once, and the others are links to it.
"""
