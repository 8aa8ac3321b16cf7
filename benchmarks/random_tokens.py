"""Tasks of random tokens, for measuring models without a data set; the trainer imports this.

`random_tokens_<N>` has N pieces; 32,100 is the default vocabulary with its 100 sentinels.
"""

from __future__ import annotations

import seqio
import tensorflow as tf

VOCABULARY_SIZES = (8_100, 32_100)
_LENGTH = 512
_NUM_EXAMPLES = 64


def _dataset(split: str, shuffle_files: bool, seed: int | None = None) -> tf.data.Dataset:
    del split, shuffle_files, seed
    # Pieces that every vocabulary here has.
    tokens = tf.random.stateless_uniform(
        [_NUM_EXAMPLES, _LENGTH],
        seed=[0, 1],
        minval=3,
        maxval=min(VOCABULARY_SIZES),
        dtype=tf.int32,
    )
    return tf.data.Dataset.from_tensor_slices({"inputs": tokens, "targets": tokens})


for _size in VOCABULARY_SIZES:
    _feature = seqio.Feature(seqio.PassThroughVocabulary(_size, eos_id=1), add_eos=True)
    seqio.TaskRegistry.add(
        f"random_tokens_{_size}",
        source=seqio.FunctionDataSource(_dataset, splits=["train"]),
        preprocessors=[seqio.preprocessors.append_eos_after_trim],
        output_features={"inputs": _feature, "targets": _feature},
        metric_fns=[],
    )
