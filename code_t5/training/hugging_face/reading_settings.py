"""Reads a T5's architecture from the gin configuration of a model directory.

What Hugging Face's T5 cannot express is refused by its name: it has one form of attention, of norms
and of layers, and where mesh-tensorflow can be told otherwise, the configuration must not have done
so. Where it says nothing, mesh-tensorflow's own defaults count.
"""

from __future__ import annotations

import itertools
from typing import Any

from code_t5 import errors
from code_t5.training.hugging_face.architecture import (
    CROSS_ATTENTION,
    DECODER,
    ENCODER,
    FEED_FORWARD,
    FEED_FORWARDS,
    LAYERS,
    SELF_ATTENTION,
    Architecture,
    Layer,
    Stack,
)
from code_t5.training.hugging_face.gin_settings import GinSettings, Reference

# Change nothing when a model is not being trained.
_TRAINING_SUBLAYERS = {
    *("sublayer_dropout", "sublayer_annealed_dropout", "sublayer_legacy_dropout"),
    *("sublayer_clip_activation_gradient", "sublayer_mask_padding"),
}
_NORMS = {
    "sublayer_rms_norm": "rms_norm",
    "sublayer_legacy_rms_norm": "layer_norm",
    "sublayer_legacy_final_rms_norm": "final_layer_norm",
}
# Each parameter with the one value for which Hugging Face's T5 does the same, where there is only
# one. mesh-tensorflow's own defaults are these.
_FIXED: dict[str, dict[str, Any]] = {
    "Unitransformer": {
        "ensemble": None,
        "positional_embedding": False,
        "sinusoid_positional_embedding": False,
        "input_full_attention": False,
    },
    SELF_ATTENTION: {
        "num_memory_heads": 0,
        "shared_kv": False,
        "attention_kwargs": None,
        "attention_func": None,
        "keep_query_heads_dims": False,
        "hyperprompt_length_encoder": None,
        "hyperprompt_length_decoder": None,
    },
    FEED_FORWARD: {"use_bias": False},
    "unit_scaling_convention": {"value": False},
    "make_layer_stack": {"block_scope": True},
}
_DEFAULT_SUBLAYERS = {
    "initial": [],
    "per_layer": ["sublayer_rms_norm", "sublayer_call_layer", "sublayer_residual"],
    "final": ["sublayer_rms_norm"],
}
_MAX_LAYERS = 1000
# Forms of layers that compute the same from the same variables (code_t5.training.stepping).
_QUICK = {"QuickSelfAttention": SELF_ATTENTION, "QuickEncDecAttention": CROSS_ATTENTION}
# Arguments that attention to the encoder's output takes from the self-attention's.
_COMMON_ARGUMENTS = (
    *("num_heads", "key_value_size", "combine_dims", "fold_scaling_into_initializer"),
    *_FIXED[SELF_ATTENTION],
)


def _refuse(settings: GinSettings, *, found: str, wanted: str) -> errors.InputError:
    return errors.InputError(
        f"{settings.path} says {found}; wanted {wanted}: Hugging Face's T5 has nothing else; "
        "export another model"
    )


class _Reader:
    """Reads an architecture, parameter by parameter."""

    def __init__(self, settings: GinSettings) -> None:
        self._settings = settings

    def number(self, name: str, argument: str, *, default: Any, kind: type = int) -> Any:
        """Returns a positive number that is the same in encoder and decoder.

        Raises:
          InputError: It is none, or differs.
        """
        found = {
            scope: self._settings.get(f"{name}.{argument}", scope=scope, default=default)
            for scope in (ENCODER, DECODER)
        }
        first = found[ENCODER]
        if first != found[DECODER]:
            raise _refuse(
                self._settings,
                found=f"{name}.{argument} = {first} in the encoder, {found[DECODER]} in the "
                "decoder",
                wanted="the same in both",
            )
        is_number = isinstance(first, (int, float)) and not isinstance(first, bool)
        if not is_number or not 0 <= first < 1 << 31 or (kind is int and first != int(first)):
            raise _refuse(
                self._settings,
                found=f"{name}.{argument} = {first!r}",
                wanted="a number from 0 to 2147483647",
            )
        return kind(first)

    def check_fixed(self) -> None:
        """Checks what Hugging Face's T5 knows one value of.

        Raises:
          InputError: A parameter has another value.
        """
        settings = self._settings
        # What mesh-tensorflow takes where a file does not say; else it is the one value wanted.
        defaults = {"positional_embedding": True}
        for name, wanted_values in _FIXED.items():
            for argument, wanted in wanted_values.items():
                for scope in (ENCODER, DECODER):
                    default = defaults.get(argument, wanted)
                    found = settings.get(f"{name}.{argument}", scope=scope, default=default)
                    if found != wanted and (found or wanted):
                        raise _refuse(
                            settings,
                            found=f"{scope}/{name}.{argument} = {found!r}",
                            wanted=f"{wanted!r}",
                        )

    def check_kind(self) -> None:
        """Checks that the model is an encoder with a decoder, and has one table of embeddings.

        Raises:
          InputError: It is another kind of model.
        """
        settings = self._settings
        model_type = settings.get("run.model_type", default="bitransformer")
        if model_type != "bitransformer":
            raise _refuse(
                settings, found=f"utils.run.model_type = {model_type!r}", wanted="'bitransformer'"
            )
        if settings.get("Bitransformer.shared_embedding", default=True) is not True:
            raise _refuse(settings, found="Bitransformer.shared_embedding = False", wanted="True")

    def check_attention(self) -> None:
        """Checks the positions in the attention, and that both kinds of it are alike.

        Raises:
          InputError: They are others than T5's.
        """
        settings = self._settings
        for scope in (ENCODER, DECODER):
            kind = settings.get(f"{SELF_ATTENTION}.relative_attention_type", scope=scope)
            if kind != "bias_shared":
                raise _refuse(
                    settings,
                    found=f"{scope}/{SELF_ATTENTION}.relative_attention_type = {kind!r}",
                    wanted="'bias_shared'",
                )
        for name, argument in itertools.product((CROSS_ATTENTION, *_QUICK), _COMMON_ARGUMENTS):
            given = settings.get(f"{name}.{argument}", scope=DECODER)
            wanted = settings.get(f"{SELF_ATTENTION}.{argument}", scope=DECODER)
            if given is not None and given != wanted:
                raise _refuse(
                    settings,
                    found=f"{name}.{argument} = {given!r}",
                    wanted=f"that of {SELF_ATTENTION}, {wanted!r}",
                )
        kind = settings.get(f"{CROSS_ATTENTION}.relative_attention_type", scope=DECODER)
        if kind is not None:
            raise _refuse(
                settings,
                found=f"{CROSS_ATTENTION}.relative_attention_type = {kind!r}",
                wanted="None",
            )

    def stack(self, scope: str) -> Stack:
        """Returns the encoder or decoder.

        Args:
          scope: `ENCODER` or `DECODER`.

        Raises:
          InputError: Its layers are others than T5's.
        """
        settings = self._settings
        layers = _layers(settings.get("make_layer_stack.layers", scope=scope, default=None))
        if tuple(layer.kind for layer in layers) != LAYERS[scope]:
            raise _refuse(
                settings,
                found=f"{scope}/make_layer_stack.layers = {[layer.kind for layer in layers]}",
                wanted=f"{list(LAYERS[scope])}",
            )
        num_blocks = settings.get("make_layer_stack.num_layers", scope=scope, default=6)
        if not isinstance(num_blocks, int) or not 1 <= num_blocks <= _MAX_LAYERS:
            raise _refuse(
                settings,
                found=f"{scope}/make_layer_stack.num_layers = {num_blocks!r}",
                wanted=f"1 to {_MAX_LAYERS}",
            )
        norm_name, final_norm_name = self._norm_names(scope)
        return Stack(
            scope=str(settings.get(f"make_bitransformer.{scope}_name", default=scope)),
            num_blocks=num_blocks,
            layers=layers,
            norm_name=norm_name,
            final_norm_name=final_norm_name,
        )

    def _norm_names(self, scope: str) -> tuple[str, str]:
        """Returns the scopes of the norms.

        Raises:
          InputError: Something else is done around the layers.
        """
        settings = self._settings
        if settings.get("LayerStack.norm_epsilon", scope=scope) is not None:
            # How mesh-tensorflow made its stacks at first.
            return "layer_norm", "final_layer_norm"
        found = {}
        for place in ("initial", "per_layer", "final"):
            listed = settings.get(f"LayerStack.sublayers_{place}", scope=scope)
            names = [_name_of(part) for part in listed] if isinstance(listed, (list, tuple)) else []
            found[place] = [name for name in names if name not in _TRAINING_SUBLAYERS]
            if listed is None:
                found[place] = _DEFAULT_SUBLAYERS[place]
        per_layer, final = found["per_layer"], found["final"]
        wanted = ["sublayer_call_layer", "sublayer_residual"]
        is_t5 = per_layer[1:] == wanted and per_layer[0] in _NORMS and not found["initial"]
        if not is_t5 or len(final) != 1 or final[0] not in _NORMS:
            raise _refuse(
                settings,
                found=f"{scope}/LayerStack.sublayers_* = {found}",
                wanted="RMS norm, the layer, the residual, and RMS norm at the end",
            )
        return _NORMS[per_layer[0]], _NORMS[final[0]]

    def feed_forward(self) -> str:
        """Returns Hugging Face's word for the feed-forward parts.

        Raises:
          InputError: It has none for them.
        """
        found = [
            self._settings.get(f"{FEED_FORWARD}.activation", scope=scope, default="relu")
            for scope in (ENCODER, DECODER)
        ]
        given = found[0] if isinstance(found[0], (list, tuple)) else [found[0]]
        word = FEED_FORWARDS.get("*".join(map(str, given)))
        if word is None or found[0] != found[1]:
            raise _refuse(
                self._settings,
                found=f"{FEED_FORWARD}.activation = {found[0]!r} and {found[1]!r}",
                wanted=f"the same in encoder and decoder, one of {sorted(FEED_FORWARDS)}",
            )
        return word


def _name_of(value: Any) -> str:
    return value.name if isinstance(value, Reference) else str(value)


def _layers(listed: Any) -> tuple[Layer, ...]:
    """Returns the parts of a block, given a class each or a tuple of a name and a class."""
    layers = []
    for index, entry in enumerate(listed if isinstance(listed, (list, tuple)) else []):
        parts = entry if isinstance(entry, (list, tuple)) else [entry]
        kinds = [part.name for part in parts if isinstance(part, Reference)]
        names = [part for part in parts if isinstance(part, str)]
        if any(isinstance(part, dict) and part for part in parts) or len(kinds) != 1:
            return ()
        kind = _QUICK.get(kinds[0], kinds[0])
        layers.append(Layer(kind, names[0] if names else f"layer_{index:03d}"))
    return tuple(layers)


def read_architecture(settings: GinSettings) -> Architecture:
    """Returns the architecture that a configuration describes.

    Args:
      settings: Of a model directory.

    Returns:
      The architecture.

    Raises:
      InputError: Hugging Face's T5 cannot express it.
      ArtifactError: The configuration is damaged.
    """
    reader = _Reader(settings)
    reader.check_kind()
    reader.check_fixed()
    reader.check_attention()
    d_model = reader.number("Unitransformer", "d_model", default=1024)
    d_kv = reader.number(SELF_ATTENTION, "key_value_size", default=128)
    folds_scale = settings.get(
        f"{SELF_ATTENTION}.fold_scaling_into_initializer", scope=DECODER, default=True
    )
    embedding = settings.get("get_vocab_embedding_cls.cls", default="VocabEmbedding")
    scales_embedding = any(
        settings.get(f"{name}.scale_variable_like_classifier_weights", default=False)
        for name in ("VocabEmbedding", _name_of(embedding))
    )
    epsilon = settings.get("LayerStack.norm_epsilon", scope=DECODER)
    rate = settings.macro("dropout_rate", default=None)
    return Architecture(
        encoder=reader.stack(ENCODER),
        decoder=reader.stack(DECODER),
        d_model=d_model,
        d_kv=d_kv,
        d_ff=reader.number(FEED_FORWARD, "hidden_size", default=4096),
        num_heads=reader.number(SELF_ATTENTION, "num_heads", default=8),
        num_buckets=reader.number(SELF_ATTENTION, "relative_attention_num_buckets", default=32),
        feed_forward=reader.feed_forward(),
        is_tied=bool(
            settings.get("Unitransformer.shared_embedding_and_softmax_weights", scope=DECODER)
        ),
        dropout_rate=float(rate) if isinstance(rate, (int, float)) else 0.0,
        norm_epsilon=float(epsilon)
        if epsilon is not None
        else reader.number("sublayer_rms_norm", "epsilon", default=1e-6, kind=float),
        query_scale=1.0 if folds_scale else d_kv**-0.5,
        embedding_scale=d_model**0.5 if scales_embedding else 1.0,
    )
