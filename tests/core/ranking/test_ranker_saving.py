"""A saved ranker ranks as it did, and a damaged one says what is wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ranker_samples import clinic_graph, found
from zeroshot_core import Item, KnowledgeGraph
from zeroshot_core.classification.classifier import ZeroShotClassifier
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.errors import ArtifactError, FingerprintMismatchError
from zeroshot_core.index import VectorIndex
from zeroshot_core.ranking.likelihood import Telling
from zeroshot_core.ranking.ranker import ZeroShotRanker
from zeroshot_core.regression.regressor import ZeroShotRegressor
from zeroshot_core.serving.loading import load_model

pytestmark = pytest.mark.filterwarnings("ignore:.* findings? mean no concept")

TELLING = Telling(noise=0.2, kin=0.1)
CASES = [
    found("F:fingers", "dislocated lenses", "zzz qqq", no=("F:seizure",)),
    "A boy with fits, but no ataxia.",
    Item(id="p3", text="unread", concepts=("F:rash",)),
]


@pytest.fixture(scope="module")
def clinic():
    ranker = ZeroShotRanker(HashEncoder(128), clinic_graph(), telling=TELLING, top_k=4).fit()
    yield ranker
    ranker.close()


@pytest.fixture(scope="module")
def saved(clinic, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("ranker") / "model"
    clinic.save(folder, extra={"patients": "simulated"})
    return folder


@pytest.fixture
def folder(saved, tmp_path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "model"))


def rewrite(folder: Path, **entries: object) -> None:
    told = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**told, **entries}))


def test_a_loaded_ranker_says_the_same(clinic, saved):
    loaded = load_model(saved)

    assert isinstance(loaded, ZeroShotRanker)
    assert loaded.rank(CASES) == clinic.rank(CASES)
    assert loaded.explain(CASES) == clinic.explain(CASES)
    np.testing.assert_array_equal(loaded.scores(CASES), clinic.scores(CASES))
    assert loaded.predict(CASES).tolist() == clinic.predict(CASES).tolist()
    assert [case.unknown for case in loaded.understand(CASES)] == [("zzz qqq",), (), ()]
    loaded.close()


def test_parameters_telling_and_the_linkers_choice_come_back(clinic, saved):
    loaded = ZeroShotRanker.load(saved)

    kept = ("candidates", "relation", "exclusion", "hierarchy", "telling", "top_k")
    assert [getattr(loaded, name) for name in kept] == [getattr(clinic, name) for name in kept]
    assert loaded.model_.telling == TELLING
    assert loaded.linker_.choice == clinic.linker_.choice
    assert loaded.classes_.tolist() == clinic.classes_.tolist()
    assert loaded.saved_extra_ == {"patients": "simulated"}
    loaded.close()


def test_an_index_of_ones_own_serves_the_saved_ranker(tmp_path):
    uri = str(tmp_path / "clinic.db")
    ranker = ZeroShotRanker(HashEncoder(64), clinic_graph(), index=uri).fit()
    ranker.save(tmp_path / "model")
    expected = ranker.rank(CASES)
    ranker.close()

    loaded = load_model(tmp_path / "model")
    assert loaded.rank(CASES) == expected
    loaded.close()
    assert not list((tmp_path / "model").glob("index*"))


def test_the_index_holds_diseases_linked_to_what_they_show(clinic):
    (item,) = clinic.version_.items(["OMIM:5"])

    assert (item.text, item.concepts) == ("Cerebellar ataxia", ("F:ataxia", "F:scoliosis", "F:nuclear"))
    assert clinic.retriever_.retrieve(["Cerebellar ataxia"], top_k=1)[0][0].id == "OMIM:5"


@pytest.mark.parametrize("kind", ["regressor", "classifier"])
def test_a_ranker_under_the_name_of_another_kind_is_refused(folder, kind):
    rewrite(folder, kind=kind)

    with pytest.raises(ArtifactError, match=r"is damaged: .*; save the model again"):
        load_model(folder)
    index = json.loads((folder / "model.json").read_text())["index"]["uri"]
    VectorIndex.connect(str(folder / index)).close()  # what failed holds nothing


def test_another_kind_under_the_name_of_a_ranker_is_refused(tmp_path):
    model = ZeroShotClassifier(HashEncoder(32)).fit(labels=["wine", "food", "tea"])
    model.save(tmp_path / "model")
    model.close()
    rewrite(tmp_path / "model", kind="ranker")

    with pytest.raises(
        ArtifactError, match=r"is damaged: expected 'telling' as a mapping, got None; save the model again"
    ):
        load_model(tmp_path / "model")


def test_a_ranker_is_no_regressor(saved):
    with pytest.raises(ArtifactError, match="expected a saved regressor, got a ranker; open it with load_m"):
        ZeroShotRegressor.load(saved)


def _damage(pattern: str) -> Callable[[Path], None]:
    def act(folder: Path) -> None:
        path = next(folder.glob(pattern))
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

    return act


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (_damage("state-*/arrays.safetensors"), r"arrays\.safetensors is damaged: its checksum differs"),
        (_damage("state-*/config.json"), r"config\.json is damaged: its checksum differs"),
        (_damage("state-*/graph.jsonl"), r"graph\.jsonl is damaged: its checksum differs"),
        (
            lambda folder: next(folder.glob("state-*/graph.jsonl")).unlink(),
            r"graph\.jsonl, which is missing; save the model again",
        ),
        (lambda folder: (folder / "model.json").write_text("[]"), r"model\.json is damaged"),
        (lambda folder: shutil.rmtree(next(folder.glob("index-*"))), "which is missing; save the model"),
    ],
)
def test_what_is_wrong_with_a_saved_ranker_is_said(folder, harm, message):
    harm(folder)

    with pytest.raises(ArtifactError, match=message):
        load_model(folder)


def test_another_encoder_is_refused(folder):
    with pytest.raises(FingerprintMismatchError, match="expected encoder 'hash' with fingerprint"):
        load_model(folder, encoder=HashEncoder(64))


def test_former_ids_rank_as_those_of_today_after_loading_too(tmp_path):
    graph = clinic_graph()
    graph = KnowledgeGraph(
        graph.concepts.values(), graph.relations, alternative_ids={"F:7": "F:lens", "F:8": "F:tall"}
    )
    ranker = ZeroShotRanker(HashEncoder(32), graph).fit()
    wanted = ranker.scores([found("F:lens", no=("F:tall",))])
    given = [found("f_7", no=("F:8",))]

    np.testing.assert_array_equal(ranker.scores(given), wanted)
    ranker.save(tmp_path / "model")
    ranker.close()
    loaded = ZeroShotRanker.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.scores(given), wanted)
    assert loaded.graph_.alternative_ids == graph.alternative_ids
    loaded.close()


def test_what_means_no_concept_is_named_in_one_warning():
    ranker = ZeroShotRanker(HashEncoder(32), clinic_graph()).fit()
    cases = [found("F:lens", "F:99"), found("zzz qqq\x1b[2J", "F:99")]
    for method in (ranker.rank, ranker.scores, ranker.predict, ranker.explain):
        with pytest.warns(UserWarning, match="mean no concept") as caught:
            method(cases)
        assert [str(each.message) for each in caught] == [
            "2 findings mean no concept of the graph and count for nothing: "
            "'F:99'; 'zzz qqq\\x1b[2J'; mend their ids or words"
        ]
    ranker.close()
