"""Opening the encoder that a saved model or an index refers to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zeroshot_core.encoders.base import Encoder
from zeroshot_core.encoders.hashing import HashEncoder
from zeroshot_core.encoders.head import HeadEncoder
from zeroshot_core.encoders.loading import load_encoder
from zeroshot_core.errors import ArtifactError, FingerprintMismatchError

__all__ = ["encoder_from_config"]


def encoder_from_config(config: Mapping[str, Any], *, encoder: Encoder | None = None) -> Encoder:
    """Open an encoder from `Encoder.to_config()` and check that it is the same one.

    Parameters
    ----------
    encoder
        The encoder itself, for one that a config cannot open (a function) or that is already in memory; for
        one with a head, the base of it will do.

    Raises
    ------
    ArtifactError
        If the config is of an unknown kind, lacks a key, or refers to a function and no `encoder` is given.
    FingerprintMismatchError
        If the opened or given encoder has another fingerprint than the config.
    """
    try:
        expected = config["fingerprint"]
        if config["kind"] == "head" and (encoder is None or encoder.fingerprint != expected):
            opened: Encoder = _open_head(config, encoder)
        else:
            opened = encoder if encoder is not None else _open(config)
    except KeyError as error:
        raise ArtifactError(
            f"expected an encoder's config with the key {error}, got {dict(config)}"
        ) from error
    if opened.fingerprint != expected:
        raise FingerprintMismatchError(
            f"expected encoder {_label(config)!r} with fingerprint {expected}, got {opened.name!r} with "
            f"{opened.fingerprint}; give the encoder it was made with, or build again with this one"
        )
    return opened


def _open(config: Mapping[str, Any]) -> Encoder:
    kind = config["kind"]
    if kind == "transformer":
        keys = ("pooling", "max_length", "prompts", "runtime")
        return load_encoder(config["name_or_path"], **{key: config[key] for key in keys})
    if kind == "hash":
        return HashEncoder(config["dimension"])
    if kind == "function":
        raise ArtifactError(
            f"encoder {config['name']!r} is a function, which a config cannot hold; give it as "
            f"encoder=FunctionEncoder(function, name={config['name']!r}, dimension={config['dimension']})"
        )
    raise ArtifactError(
        f'expected an encoder of kind "transformer", "hash", "function" or "head", got {kind!r}'
    )


def _open_head(config: Mapping[str, Any], encoder: Encoder | None) -> HeadEncoder:
    base = encoder_from_config(config["base"], encoder=encoder)
    return HeadEncoder.load(config["name_or_path"], base)


def _label(config: Mapping[str, Any]) -> str:
    return str(config.get("name_or_path") or config.get("name") or config.get("kind"))
