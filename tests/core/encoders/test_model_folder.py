"""Folders that would run their maker's code are refused before anything of them is loaded."""

import json
import os
import shutil
import time

import numpy as np
import pytest
import torch
from zeroshot_core.encoders import encoder_from_config, load_encoder
from zeroshot_core.errors import ArtifactError, FingerprintMismatchError, InvalidInputError

TRANSFORMER = "sentence_transformers.base.modules.transformer.Transformer"
ROUTER = "sentence_transformers.base.modules.router.Router"


class Payload:
    """Writes a file when it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return exec, (f"open({str(self.marker)!r}, 'w').close()",)


@pytest.fixture(scope="module")
def good(bert, tmp_path_factory):
    """A sentence-transformers folder of the smallest kind."""
    folder = tmp_path_factory.mktemp("good") / "model"
    load_encoder(bert).save(folder)
    return folder


@pytest.fixture
def folder(good, tmp_path):
    return shutil.copytree(good, tmp_path / "model")


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "marker"


def change(path, **entries):
    config = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(config | entries))


def change_module(folder, place, **entries):
    modules = json.loads((folder / "modules.json").read_text())
    modules[place] |= entries
    (folder / "modules.json").write_text(json.dumps(modules))


def unsafe_arguments(folder, key="model_args"):
    change(folder / "sentence_bert_config.json", **{key: {"weights_only": False, "use_safetensors": False}})


def pickled_weights(folder, marker):
    torch.save(Payload(marker), folder / "pytorch_model.bin")
    if (folder / "config.json").exists():
        # Without a type in the config, transformers looks into the weights for it, and unpickles them whole.
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"dtype": None, "torch_dtype": None}))


def pickle_alone(folder, marker):
    pickled_weights(folder, marker)
    unsafe_arguments(folder)
    (folder / "model.safetensors").unlink()


def pickle_beside_safetensors(folder, marker):
    pickled_weights(folder, marker)
    unsafe_arguments(folder, "model_kwargs")


def pickle_behind_a_router(folder, marker):
    inner = folder / "route"
    inner.mkdir()
    for name in ("config.json", "sentence_bert_config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(folder / name, inner / name)
    pickled_weights(inner, marker)
    unsafe_arguments(inner)
    routes = {"types": {"route": TRANSFORMER}, "structure": {"query": ["route"]}, "parameters": {}}
    change(folder / "router_config.json", **routes)
    change_module(folder, 0, type=ROUTER)


def pickle_elsewhere(folder, marker):
    outside = folder.parent / "outside"
    outside.mkdir()
    pickled_weights(outside, marker)
    change_module(folder, 1, path=str(outside))


def pickle_above(folder, marker):
    (folder.parent / "outside").mkdir()
    pickled_weights(folder.parent / "outside", marker)
    change_module(folder, 1, path="1_Pooling/../../outside")


def code_of_a_module(folder, marker):
    (folder / "payload.py").write_text(f"open({str(marker)!r}, 'w').close()\nclass Module: pass\n")
    change_module(folder, 1, type="payload.Module")


def code_of_a_config(folder, marker, name="config.json"):
    (folder / "payload.py").write_text(f"open({str(marker)!r}, 'w').close()\n")
    change(folder / name, auto_map={"AutoConfig": "payload.Config"}, model_type="payload")


def link_to_a_file(folder, marker):
    pickled_weights(folder.parent, marker)
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(folder.parent / "pytorch_model.bin")


def link_to_a_folder(folder, marker):
    shutil.move(folder / "1_Pooling", folder.parent / "1_Pooling")
    (folder / "1_Pooling").symlink_to(folder.parent / "1_Pooling")


def config_change(**entries):
    return lambda folder, marker: change(folder / "config.json", **entries)


def setting_change(**entries):
    return lambda folder, marker: change(folder / "sentence_bert_config.json", **entries)


ATTACKS = [
    (pickle_alone, r"pytorch_model.bin, which may be a pickle"),
    (pickle_beside_safetensors, r"pytorch_model.bin, which may be a pickle; delete it if its weights"),
    (pickle_behind_a_router, r"route/pytorch_model.bin, which may be a pickle"),
    (pickle_elsewhere, r"a module in '/.*outside', which is not in it"),
    (pickle_above, r"a module in '1_Pooling/../../outside', which is not in it"),
    (code_of_a_module, r"a module of type 'payload.Module'"),
    (lambda f, m: change_module(f, 1, type="os.system"), r"a module of type 'os.system'"),
    (lambda f, m: change_module(f, 1, type=["os"]), r"a module of type \['os'\]"),
    (lambda f, m: change_module(f, 1, path=None), r"a module in None"),
    (code_of_a_config, r"a config.json that asks for auto_map"),
    (lambda f, m: code_of_a_config(f, m, "tokenizer_config.json"), r"tokenizer_config.json that asks for"),
    (link_to_a_file, r"a link that leads elsewhere, model.safetensors"),
    (link_to_a_folder, r"lies elsewhere, 1_Pooling|leads elsewhere, 1_Pooling"),
    (lambda f, m: change(f / "adapter_config.json", base_model_name_or_path="/x"), r"an adapter of another"),
    (lambda f, m: os.mkfifo(f / "config_x.json"), r"config_x.json, which is neither a file nor a folder"),
    (lambda f, m: (f / "modules.json").write_text('{"a": 1}'), r"a modules.json that is no list"),
    (lambda f, m: (f / "modules.json").write_text("[1]"), r"a modules.json that lists 1"),
    (config_change(text_config={"_attn_implementation": "evil/kernel"}), r"asks for _attn_implementation"),
    (config_change(quantization_config={"quant_method": "x"}), r"asks for quantization_config"),
    (config_change(model_type="yoso"), r"asks for model_type = 'yoso'"),
    (config_change(model_type="timm_backbone"), r"asks for model_type = 'timm_backbone'"),
    (
        config_change(pretrained_cfg={}, architecture="hf-hub:evil/model"),
        r"asks for architecture = 'hf-hub:evil/model'",
    ),
    (
        config_change(vision_config={"model_type": "timm_wrapper", "model_args": {"checkpoint_path": "/x"}}),
        r"asks for checkpoint_path = '/x'",
    ),
    (config_change(encoder={"num_hidden_layers": 10**6}), r"asks for num_hidden_layers = 1000000"),
    (
        lambda f, m: change(
            f / "processor_config.json", audio_tokenizer={"audio_tokenizer_class": "DacModel"}
        ),
        r"a processor_config.json that asks for audio_tokenizer",
    ),
    (
        lambda f, m: change(f / "audio_tokenizer_config.json", audio_tokenizer_name_or_path="/x"),
        r"asks for audio_tokenizer_name_or_path",
    ),
    (setting_change(tokenizer_name_or_path="/x"), r"asks for tokenizer_name_or_path"),
    (setting_change(model_args={"trust_remote_code": True}), r"asks for trust_remote_code = True"),
    (setting_change(tokenizer_args={"tokenizer_file": "/x"}), r"tokenizer_args with tokenizer_file"),
    (setting_change(transformer_task="retrieval"), r"asks for transformer_task = 'retrieval'"),
    (
        setting_change(modality_config={"text": {"method": "save_pretrained"}}),
        r"the method 'save_pretrained'",
    ),
    (
        lambda f, m: change(f / "model.safetensors.index.json", weight_map={"a": "../pytorch_model.bin"}),
        r"asks for weights in '../pytorch_model.bin'",
    ),
    (
        lambda f, m: change(f / "1_Pooling/config.json", activation_function="os.system"),
        r"asks for the activation function 'os.system'",
    ),
]


@pytest.mark.parametrize(("attack", "message"), ATTACKS)
def test_folder_that_would_run_code_is_refused_before_anything_is_loaded(
    attack, message, folder, marker, monkeypatch
):
    attack(folder, marker)
    monkeypatch.setattr("sentence_transformers.SentenceTransformer.__init__", _not_to_be_called)
    with pytest.raises(ArtifactError, match=rf"runs no code .* got .*{message}.* trust=True"):
        load_encoder(folder)
    assert not marker.exists()


def _not_to_be_called(*_, **__):
    raise AssertionError("the model was loaded")


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "\xff"])
def test_config_that_is_no_json_is_refused(text, folder):
    (folder / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ArtifactError, match=r"config.json is no JSON"):
        load_encoder(folder)


def test_folder_whose_files_do_not_fit_each_other_is_refused_in_one_sentence(folder):
    for name, damage in (
        ("tokenizer.json", {"model": {}}),
        ("tokenizer_config.json", {"tokenizer_class": "NoSuchTokenizer", "model_max_length": "x"}),
        ("1_Pooling/config.json", {"pooling_mode": "none"}),
        ("config_sentence_transformers.json", {"prompts": 3}),
        ("config.json", {"hidden_size": 31}),
    ):
        before = (folder / name).read_text()
        change(folder / name, **damage)
        with pytest.raises((ArtifactError, InvalidInputError)):
            load_encoder(folder).encode(["milk"])
        (folder / name).write_text(before)
    assert load_encoder(folder).encode(["milk"]).shape == (1, 32)


def test_tokens_without_weights_are_refused(folder):
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    tokenizer["model"]["vocab"] = {token: 10 * position for token, position in vocabulary.items()}
    tokenizer["added_tokens"] = []
    tokenizer["post_processor"] = None
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(ArtifactError, match=r"expected weights for each token of .* copy the model again"):
        load_encoder(folder).encode(["tinned soup and whole milk for children"])


def test_trusted_folder_runs_what_it_brings_along(folder, marker):
    pickle_alone(folder, marker)
    with pytest.raises(ArtifactError, match="got one that cannot be opened"):
        load_encoder(folder, trust=True)
    assert marker.exists(), "the pickle of these tests is harmless, so they show nothing"


def test_weights_alone_decide_that_pickles_are_not_read(folder, marker, monkeypatch):
    """What loads the model is a second wall behind the check."""
    monkeypatch.setattr("zeroshot_core.encoders.loading.check_model_folder", lambda folder: None)
    pickle_alone(folder, marker)
    with pytest.raises(ArtifactError, match="cannot be opened"):
        load_encoder(folder)
    assert not marker.exists()


def test_what_training_leaves_beside_a_model_and_usual_arguments_are_no_harm(folder, marker, good):
    for name in ("training_args.bin", "optimizer.pt", "rng_state_0.pth"):
        torch.save(Payload(marker), folder / name)
    (folder / "checkpoint-5").mkdir()
    pickled_weights(folder / "checkpoint-5", marker)
    change(folder / "sentence_bert_config.json", model_args={"attn_implementation": "eager"})
    assert load_encoder(folder).fingerprint == load_encoder(good).fingerprint
    assert not marker.exists()


def test_snapshot_in_the_cache_of_the_hub_opens_without_a_network_by_its_links(good, tmp_path, monkeypatch):
    put_into_cache(good, tmp_path / "cache", "someone/small")
    monkeypatch.setenv("SENTENCE_TRANSFORMERS_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("zeroshot_core.encoders.loading.fetched_folder", _not_to_be_called)
    encoder = load_encoder("someone/small")
    assert (encoder.name, encoder.fingerprint) == ("someone/small", load_encoder(good).fingerprint)
    assert encoder_from_config(encoder.to_config()).fingerprint == encoder.fingerprint


def put_into_cache(folder, cache, name):
    store = cache / f"models--{name.replace('/', '--')}"
    snapshot = store / "snapshots" / ("0" * 40)
    shutil.copytree(folder, snapshot)
    (store / "blobs").mkdir()
    (store / "refs").mkdir()
    (store / "refs" / "main").write_text("0" * 40)
    (snapshot / "model.safetensors").rename(store / "blobs" / "abc")
    (snapshot / "model.safetensors").symlink_to("../../blobs/abc")


@pytest.mark.parametrize("name", ["someone/model", "no-such-model", "//host/share", "/nowhere/model"])
def test_config_of_a_stranger_never_has_the_hub_asked(name, good, monkeypatch):
    monkeypatch.setattr("zeroshot_core.encoders.loading.fetched_folder", _not_to_be_called)
    config = load_encoder(good).to_config() | {"name_or_path": name}
    with pytest.raises(ArtifactError, match=r"never has the hub asked: give it as encoder=load_encoder\('"):
        encoder_from_config(config)


def test_fingerprint_is_checked_before_the_model_runs(good, bert, monkeypatch):
    configs = [load_encoder(place).to_config() | {"fingerprint": "0" * 16} for place in (good, bert)]
    monkeypatch.setattr(
        "sentence_transformers.base.modules.transformer.Transformer.forward", _not_to_be_called
    )
    for config in configs:
        for runtime in ("torch", "onnx"):
            with pytest.raises(FingerprintMismatchError):
                encoder_from_config(config | {"runtime": runtime})


@pytest.mark.parametrize("kind", ["transformer", "hash", "head", ["x"], None])
@pytest.mark.parametrize("value", [None, 7, [], {"a": 1}, "\0", 10**30])
def test_damaged_configs_are_refused_in_one_sentence(kind, value, good):
    config = load_encoder(good).to_config() | {"kind": kind}
    for key in config:
        with pytest.raises((ArtifactError, FingerprintMismatchError, InvalidInputError)):
            encoder_from_config(config | {"kind": kind, "fingerprint": "0" * 16} | {key: value})


def test_wrong_name_without_a_network_is_said_at_once_with_the_nearest_known_one(tmp_path, monkeypatch):
    monkeypatch.setenv("SENTENCE_TRANSFORMERS_HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(time, "sleep", _not_to_be_called)
    with pytest.raises(InvalidInputError, match=r"did you mean 'all-MiniLM-L12-v2'\? check the name"):
        load_encoder("all-MiniLM-L12v2")


@pytest.mark.parametrize("name", [7, None, "", "a\0b", "x" * 5000, "a b", "~nobody/x"])
def test_what_is_no_name_is_refused(name):
    with pytest.raises((InvalidInputError, ArtifactError)):
        load_encoder(name)


def test_head_is_refused_in_one_sentence_whatever_its_files_hold(tmp_path):
    from safetensors.numpy import save_file
    from zeroshot_core.encoders import HashEncoder, HeadEncoder

    base = HashEncoder(8)
    HeadEncoder(base, "residual", {"down": np.ones((2, 8)), "up": np.ones((8, 2))}).save(tmp_path / "head")
    config = json.loads((tmp_path / "head" / "head.json").read_text())
    for weights in ({"down": np.float32(1), "up": np.ones((8, 2))}, {"down": np.full((2, 8), np.nan)}):
        save_file({name: np.array(array) for name, array in weights.items()}, tmp_path / "head.safetensors")
        shutil.move(tmp_path / "head.safetensors", tmp_path / "head" / "head.safetensors")
        with pytest.raises((ArtifactError, InvalidInputError)):
            HeadEncoder.load(tmp_path / "head", base)
    for damage in ([], {"head": ["x"]}, config | {"base": 3}, config | {"head": {}}):
        (tmp_path / "head" / "head.json").write_text(json.dumps(damage))
        with pytest.raises((ArtifactError, InvalidInputError)):
            HeadEncoder.load(tmp_path / "head", base)
