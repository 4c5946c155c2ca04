"""An encoder tuned on a user's own labels serves both frameworks, from its own folder and from a model's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from toy_shop import toy_products
from zeroshot_core import Item, ZeroShotClassifier
from zeroshot_core.encoders import TransformerEncoder, load_encoder
from zeroshot_core.training import TrainingPlan, tune_encoder

from langchain_zeroshot import ZeroShotEmbeddings
from llama_index_zeroshot import ZeroShotEmbedding

QUERY = "dry red wine from Sicily"


@pytest.fixture(scope="module")
def tuned() -> TransformerEncoder:
    items, _ = toy_products()
    texts = [item.text for item in items][:40]
    sizes = [item.text.split(", ")[-1] for item in items][:40]
    plan = TrainingPlan(epochs=2, learning_rate=3e-4)
    encoder, report = tune_encoder(load_encoder(), texts, sizes, trained_layers=1, plan=plan)
    assert report.is_improved
    return encoder


def test_both_embed_with_the_tuned_weights_of_a_folder(tuned: TransformerEncoder, tmp_path: Path) -> None:
    tuned.save(tmp_path / "encoder")
    expected = tuned.encode([QUERY], role="query")[0]
    langchain = ZeroShotEmbeddings(model=str(tmp_path / "encoder"))
    llama_index = ZeroShotEmbedding(model=str(tmp_path / "encoder"))
    np.testing.assert_allclose(langchain.embed_query(QUERY), expected, atol=1e-5)
    np.testing.assert_allclose(llama_index.get_query_embedding(QUERY), expected, atol=1e-5)
    assert np.abs(expected - load_encoder().encode([QUERY], role="query")[0]).max() > 1e-3


def test_both_embed_with_the_tuned_weights_of_a_model(tuned: TransformerEncoder, tmp_path: Path) -> None:
    tuned.save(tmp_path / "encoder")
    items, _ = toy_products()
    model = ZeroShotClassifier(load_encoder(tmp_path / "encoder"))
    model.fit([Item(id=item.id, text=item.text) for item in items[:12]], [i.concepts[0] for i in items[:12]])
    model.save(tmp_path / "model")
    model.close()
    expected = tuned.encode([QUERY])[0]
    langchain = ZeroShotEmbeddings(model=str(tmp_path / "model"))
    llama_index = ZeroShotEmbedding(model=str(tmp_path / "model"))
    np.testing.assert_allclose(langchain.embed_documents([QUERY])[0], expected, atol=1e-5)
    np.testing.assert_allclose(llama_index.get_text_embedding(QUERY), expected, atol=1e-5)
