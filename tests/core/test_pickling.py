"""What holds an open index or weights is not pickled, and says what to do instead; settings are."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator

import pytest
from sklearn.base import clone
from zeroshot_core import InvalidInputError, ZeroShotClassifier, ZeroShotRegressor
from zeroshot_core.encoders import CachedEncoder, Encoder, FunctionEncoder, HashEncoder, TransformerEncoder
from zeroshot_core.retrieval import GraphView

TEXTS = [f"number {n} of the list" for n in range(8)]
MODEL = r"expected a model that can be pickled or copied, got a fitted \w+, .* open it .* with load_model"
INDEX = r"expected something that can be pickled or copied, got an open index \(.*\); open it anew"


def of_two(_: object) -> list[list[float]]:
    return [[1.0, 0.0]]


@pytest.fixture(scope="module")
def model() -> Iterator[ZeroShotRegressor]:
    model = ZeroShotRegressor(HashEncoder(16), top_k=3).fit(TEXTS, list(range(8)))
    yield model
    model.close()


PARTS: list[tuple[Callable[[ZeroShotRegressor], object], str]] = [
    (lambda model: model, MODEL),
    (lambda model: [{"model": model}], MODEL),
    (lambda model: model.retriever_, INDEX),
    (lambda model: GraphView(model.retriever_), INDEX),
    (lambda model: model.version_, INDEX),
    (lambda model: model.model_index_, INDEX),
    (lambda model: model.model_index_.index, INDEX),
    (lambda model: ZeroShotRegressor(HashEncoder(16), index=model.model_index_.index), INDEX),
]


@pytest.mark.parametrize("copied", [pickle.dumps, copy.deepcopy])
@pytest.mark.parametrize(("part", "message"), PARTS)
def test_what_holds_an_open_index_says_what_to_do_instead(
    model: ZeroShotRegressor,
    part: Callable[[ZeroShotRegressor], object],
    message: str,
    copied: Callable[[object], object],
) -> None:
    whole = part(model)
    with pytest.raises(InvalidInputError, match=message):
        copied(whole)
    assert len(model.predict(["number 3"])) == 1


def test_an_encoder_with_weights_or_a_function_is_not_pickled(minilm: TransformerEncoder) -> None:
    function = FunctionEncoder(of_two, name="service", dimension=2)
    with pytest.raises(
        InvalidInputError, match=r"got a TransformerEncoder \(.*\); save it, and open it .* load_enc"
    ):
        pickle.dumps(minilm)
    with pytest.raises(InvalidInputError, match=r"got a FunctionEncoder \(service\); wrap the function anew"):
        pickle.dumps({"encoder": function})


def test_a_copy_of_an_encoder_is_the_encoder(minilm: TransformerEncoder) -> None:
    encoders: list[Encoder] = [minilm, HashEncoder(16), FunctionEncoder(of_two, name="service", dimension=2)]
    encoders.append(CachedEncoder(HashEncoder(16), "unused.db"))
    assert all(copy.deepcopy(encoder) is encoder for encoder in encoders)


def test_what_is_not_fitted_is_pickled_copied_and_cloned() -> None:
    for model in (ZeroShotRegressor(HashEncoder(16), top_k=3), ZeroShotClassifier("all-MiniLM-L6-v2")):
        for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), clone(model)):
            assert type(again) is type(model)
            assert str(again.get_params()["encoder"])[:30] == str(model.get_params()["encoder"])[:30]
