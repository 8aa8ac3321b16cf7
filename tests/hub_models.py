"""Models for a fake Hub: small ones with all the files that their kind has, weights of NumPy.

The weights are those that transformers' class wants, each key there, drawn under a seed; nothing is
trained. `torch` is needed for none but `bin_model`.
"""

from __future__ import annotations

import functools
import json
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import small_hub

CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
# What no loading of the model takes, of the repository that has all kinds of files.
MINILM_UNWANTED = (
    "onnx/model.onnx", "onnx/model_O1.onnx", "openvino/openvino_model.bin",
    "openvino/openvino_model.xml", "pytorch_model.bin", "rust_model.ot", "tf_model.h5",
    "train_script.py",
)  # fmt: skip
_WORDS = "the of and to in an cat dog runs sleeps on mat big small red green ##ing ##ed".split()
_LETTERS = [*"abcdefghijklmnopqrstuvwxyz", *(f"##{x}" for x in "abcdefghijklmnopqrstuvwxyz")]
_BERT_VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *".,!?", *_LETTERS, *_WORDS]
_WIDTH, _INNER, _HEADS = 16, 32, 2
_FILLER = bytes(range(256)) * 40


def _weights(shapes: Mapping[str, tuple[int, ...]], *, seed: int) -> dict[str, np.ndarray]:
    drawn = np.random.default_rng(seed)
    return {name: drawn.normal(0, 0.02, shape).astype("f4") for name, shape in shapes.items()}


def _safetensors(tensors: Mapping[str, np.ndarray]) -> bytes:
    import safetensors.numpy

    return safetensors.numpy.save(dict(tensors), metadata={"format": "pt"})


def _both(name: str, *, rows: int, columns: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}


def _norm(name: str) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (_WIDTH,), f"{name}.bias": (_WIDTH,)}


def _bert_shapes(vocab_size: int) -> dict[str, tuple[int, ...]]:
    layer = "encoder.layer.0"
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (vocab_size, _WIDTH),
        "embeddings.position_embeddings.weight": (64, _WIDTH),
        "embeddings.token_type_embeddings.weight": (2, _WIDTH),
        **_norm("embeddings.LayerNorm"),
        **_norm(f"{layer}.attention.output.LayerNorm"),
        **_norm(f"{layer}.output.LayerNorm"),
        **_both(f"{layer}.intermediate.dense", rows=_INNER, columns=_WIDTH),
        **_both(f"{layer}.output.dense", rows=_WIDTH, columns=_INNER),
        **_both("pooler.dense", rows=_WIDTH, columns=_WIDTH),
    }
    for part in ("self.query", "self.key", "self.value", "output.dense"):
        shapes.update(_both(f"{layer}.attention.{part}", rows=_WIDTH, columns=_WIDTH))
    return shapes


def _t5_shapes(vocab_size: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"shared.weight": (vocab_size, _WIDTH)}
    for side, attentions in (("encoder", ["Self"]), ("decoder", ["Self", "EncDec"])):
        block = f"{side}.block.0.layer"
        for place, kind in enumerate(attentions):
            for part in "qkvo":
                shapes[f"{block}.{place}.{kind}Attention.{part}.weight"] = (_WIDTH, _WIDTH)
            shapes[f"{block}.{place}.layer_norm.weight"] = (_WIDTH,)
        last = len(attentions)
        shapes.update(
            {
                f"{block}.0.SelfAttention.relative_attention_bias.weight": (32, _HEADS),
                f"{block}.{last}.DenseReluDense.wi.weight": (_INNER, _WIDTH),
                f"{block}.{last}.DenseReluDense.wo.weight": (_WIDTH, _INNER),
                f"{block}.{last}.layer_norm.weight": (_WIDTH,),
                f"{side}.final_layer_norm.weight": (_WIDTH,),
            }
        )
    return shapes


def _llama_shapes(vocab_size: int) -> dict[str, tuple[int, ...]]:
    layer = "model.layers.0"
    shapes = {
        "model.embed_tokens.weight": (vocab_size, _WIDTH),
        "model.norm.weight": (_WIDTH,),
        f"{layer}.input_layernorm.weight": (_WIDTH,),
        f"{layer}.post_attention_layernorm.weight": (_WIDTH,),
        f"{layer}.mlp.gate_proj.weight": (_INNER, _WIDTH),
        f"{layer}.mlp.up_proj.weight": (_INNER, _WIDTH),
        f"{layer}.mlp.down_proj.weight": (_WIDTH, _INNER),
    }
    return {**shapes, **{f"{layer}.self_attn.{x}_proj.weight": (_WIDTH, _WIDTH) for x in "qkvo"}}


def _bert_tokenizer() -> str:
    import tokenizers
    from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

    vocabulary = {word: place for place, word in enumerate(_BERT_VOCABULARY)}
    tokenizer = tokenizers.Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(_BERT_VOCABULARY[:5])
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer.to_str()


@functools.cache
def minilm() -> Mapping[str, bytes | str]:
    """Returns the files of a sentence-transformers model: as all-MiniLM-L6-v2 has them."""
    config = {
        "architectures": ["BertModel"], "model_type": "bert", "hidden_size": _WIDTH,
        "num_hidden_layers": 1, "num_attention_heads": _HEADS, "intermediate_size": _INNER,
        "max_position_embeddings": 64, "type_vocab_size": 2, "vocab_size": len(_BERT_VOCABULARY),
    }  # fmt: skip
    special = {
        f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")
    }
    kinds = (("0", "", "Transformer"), ("1", "1_Pooling", "Pooling"))
    modules = [
        {"idx": int(name), "name": name, "path": path, "type": f"sentence_transformers.models.{of}"}
        for name, path, of in kinds
    ]
    pooling = {"word_embedding_dimension": _WIDTH, "pooling_mode_mean_tokens": True}
    settings = {**special, "do_lower_case": True, "model_max_length": 64}
    return {
        ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n",
        "1_Pooling/config.json": json.dumps(pooling),
        "README.md": "---\nlicense: apache-2.0\nlibrary_name: sentence-transformers\n---\n# Tiny\n",
        "config.json": json.dumps(config),
        "config_sentence_transformers.json": json.dumps({"__version__": {"pytorch": "2.1.2"}}),
        "model.safetensors": _safetensors(_weights(_bert_shapes(len(_BERT_VOCABULARY)), seed=1)),
        "modules.json": json.dumps(modules),
        "sentence_bert_config.json": json.dumps({"max_seq_length": 64, "do_lower_case": False}),
        "special_tokens_map.json": json.dumps(special),
        "tokenizer.json": _bert_tokenizer(),
        "tokenizer_config.json": json.dumps({**settings, "tokenizer_class": "BertTokenizer"}),
        "vocab.txt": "\n".join(_BERT_VOCABULARY) + "\n",
        **{path: _FILLER + path.encode() for path in MINILM_UNWANTED},
    }


@functools.cache
def t5() -> Mapping[str, bytes | str]:
    """Returns the files of a T5: an encoder, a decoder, and a tokenizer of Unigram pieces."""
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers, processors

    extra = [f"<extra_id_{number}>" for number in range(4)]
    pieces = ["<pad>", "</s>", "<unk>", *extra, *(f"▁{word}" for word in _WORDS[:16]), "▁"]
    pieces += list("abcdefghijklmnopqrstuvwxyz.,")
    model = models.Unigram([(piece, -float(place)) for place, piece in enumerate(pieces)], 2)
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(pieces[:7])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    config = {
        "architectures": ["T5ForConditionalGeneration"], "model_type": "t5", "d_model": _WIDTH,
        "d_kv": _WIDTH // _HEADS, "d_ff": _INNER, "num_layers": 1, "num_heads": _HEADS,
        "vocab_size": len(pieces), "decoder_start_token_id": 0, "pad_token_id": 0,
        "eos_token_id": 1, "is_encoder_decoder": True,
    }  # fmt: skip
    settings = {
        "tokenizer_class": "T5Tokenizer", "extra_ids": len(extra), "model_max_length": 64,
        "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>",
        "additional_special_tokens": extra,
    }  # fmt: skip
    return {
        "README.md": "---\nlicense: apache-2.0\n---\n# Tiny T5\n",
        "config.json": json.dumps(config),
        "generation_config.json": json.dumps({"decoder_start_token_id": 0, "eos_token_id": 1}),
        "model.safetensors": _safetensors(_weights(_t5_shapes(len(pieces)), seed=2)),
        "tokenizer.json": tokenizer.to_str(),
        "tokenizer_config.json": json.dumps(settings),
        "flax_model.msgpack": _FILLER,
        "tf_model.h5": _FILLER,
    }


def _shards(tensors: Mapping[str, np.ndarray]) -> dict[str, bytes | str]:
    """Returns weights in two files, and the index that says which holds what."""
    names = sorted(tensors)
    halves = [names[: len(names) // 2], names[len(names) // 2 :]]
    files: dict[str, bytes | str] = {}
    places: dict[str, str] = {}
    for number, half in enumerate(halves, start=1):
        path = f"model-{number:05d}-of-{len(halves):05d}.safetensors"
        files[path] = _safetensors({name: tensors[name] for name in half})
        places.update(dict.fromkeys(half, path))
    total = sum(tensor.nbytes for tensor in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": places}
    return {**files, "model.safetensors.index.json": json.dumps(index)}


@functools.cache
def chat() -> Mapping[str, bytes | str]:
    """Returns the files of a chat model: weights in two files, the template in one of its own."""
    files = small_hub.tokenizer_files(vocab_size=300)
    settings: dict[str, Any] = json.loads(files["tokenizer_config.json"])
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": _WIDTH,
        "intermediate_size": _INNER, "num_hidden_layers": 1, "num_attention_heads": _HEADS,
        "num_key_value_heads": _HEADS, "vocab_size": 300, "max_position_embeddings": 64,
        "tie_word_embeddings": True, "bos_token_id": 0, "eos_token_id": 0,
    }  # fmt: skip
    return {
        "README.md": "---\nlicense: apache-2.0\npipeline_tag: text-generation\n---\n# Tiny chat\n",
        "chat_template.jinja": CHAT_TEMPLATE,
        "config.json": json.dumps(config),
        "generation_config.json": json.dumps({"bos_token_id": 0, "eos_token_id": 0}),
        "original/consolidated.00.pth": _FILLER,
        "tokenizer.json": files["tokenizer.json"],
        "tokenizer_config.json": json.dumps(
            {**settings, "tokenizer_class": "PreTrainedTokenizerFast"}
        ),
        **_shards(_weights(_llama_shapes(300), seed=3)),
    }


_SAVE = """
import sys, numpy, torch
held = numpy.load(sys.argv[1])
torch.save({name: torch.from_numpy(held[name]) for name in held}, sys.argv[2])
"""


@functools.cache
def bin_model() -> Mapping[str, bytes | str]:
    """Returns the files of a model as older ones are: no safetensors, a pytorch_model.bin.

    A child process writes it with torch, which takes seconds.
    """
    files = {path: data for path, data in minilm().items() if path not in MINILM_UNWANTED}
    files.pop("model.safetensors")
    with tempfile.TemporaryDirectory() as folder:
        source, target = pathlib.Path(folder, "weights.npz"), pathlib.Path(folder, "weights.bin")
        np.savez(source, **_weights(_bert_shapes(len(_BERT_VOCABULARY)), seed=1))
        subprocess.run([sys.executable, "-c", _SAVE, str(source), str(target)], check=True)
        return {**files, "pytorch_model.bin": target.read_bytes()}
