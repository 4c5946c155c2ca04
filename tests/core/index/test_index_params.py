import copy
import json
import pickle

import numpy as np
import pytest
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.errors import InvalidInputError, UnsupportedIndexError
from zeroshot_core.index import INDEX_TYPES, IndexParams, VectorIndex
from zeroshot_core.index.params import LITE_INDEX_TYPES, to_scores
from zeroshot_core.types import Item


def test_unknown_index_type_lists_the_known_ones():
    with pytest.raises(
        InvalidInputError,
        match=r"expected index_type to be one of 'AUTOINDEX', 'FLAT', .*got 'HNWS'; did you mean 'HNSW'",
    ):
        IndexParams("HNWS")


def test_unknown_metric_lists_the_known_ones():
    with pytest.raises(
        InvalidInputError, match="expected metric to be one of 'COSINE', 'IP', 'L2', got 'cosine'"
    ):
        IndexParams(metric="cosine")


def test_unknown_parameter_lists_those_of_the_type():
    with pytest.raises(
        InvalidInputError,
        match=r"build parameters of HNSW among: M 4-64, efConstruction 8-512; got 'nlist': 3",
    ):
        IndexParams("HNSW", build={"nlist": 3})


def test_type_without_parameters_says_so():
    with pytest.raises(InvalidInputError, match="search parameters of FLAT among: none; got 'ef': 3"):
        IndexParams("FLAT", search={"ef": 3})


@pytest.mark.parametrize("value", [0, 65, "16", True, 8.5])
def test_parameter_out_of_range_names_the_range(value):
    told = f"expected M of HNSW as a whole number from 4 to 64, got {value!r}"
    with pytest.raises(InvalidInputError, match=told):
        IndexParams("HNSW", build={"M": value})


def test_what_is_either_is_no_number():
    assert IndexParams("SCANN", build={"with_raw_data": False}).build == {"with_raw_data": False}
    with pytest.raises(InvalidInputError, match="with_raw_data of SCANN as True or False, got 1"):
        IndexParams("SCANN", build={"with_raw_data": 1})


def test_numbers_of_numpy_count_as_those_of_python():
    params = IndexParams("HNSW", build={"M": np.int64(8)}, search={"ef": np.int32(40)})
    assert json.dumps(params.to_dict()) == json.dumps(
        {"index_type": "HNSW", "metric": "COSINE", "build": {"M": 8}, "search": {"ef": 40}}
    )


def test_parameters_cannot_be_changed_from_outside():
    build = {"M": 8}
    params = IndexParams("HNSW", build=build)
    build["M"] = 1000
    assert params.build["M"] == 8
    with pytest.raises(TypeError):
        params.build["M"] = 9


def test_parameters_survive_dictionary_copy_and_pickle():
    params = IndexParams("IVF_PQ", "L2", build={"nlist": 16, "m": 8}, search={"nprobe": 4})
    assert IndexParams(**params.to_dict()) == params
    assert copy.deepcopy(params) == params
    assert pickle.loads(pickle.dumps(params)) == params


@pytest.mark.parametrize("index_type", [name for name in INDEX_TYPES if name not in LITE_INDEX_TYPES])
def test_type_that_a_local_file_cannot_build_is_refused_before_the_file_is_made(index_type, tmp_path):
    with pytest.raises(UnsupportedIndexError, match=rf"builds \(AUTOINDEX, FLAT, HNSW.*got {index_type}"):
        VectorIndex.connect(str(tmp_path / "a.db"), params=IndexParams(index_type))
    assert list(tmp_path.iterdir()) == []


def test_pq_needs_subvectors_that_divide_the_dimension():
    with pytest.raises(InvalidInputError, match="expected m to divide the dimension 384, got m=7"):
        IndexParams("IVF_PQ", build={"m": 7}).check_dimension(384)
    IndexParams("IVF_PQ").check_dimension(50)
    assert IndexParams("IVF_PQ").build_options(384, 5000, is_lite=False)["params"]["m"] == 32
    assert IndexParams("IVF_PQ").build_options(50, 5000, is_lite=False)["params"]["m"] == 2


@pytest.mark.parametrize("index_type", INDEX_TYPES)
def test_a_server_compares_few_rows_one_by_one(index_type):
    params = IndexParams(index_type)
    assert params.build_options(64, 2047, is_lite=False) == IndexParams("FLAT").build_options(
        64, 2047, is_lite=False
    )
    assert params.build_options(64, 2048, is_lite=False)["index_type"] == index_type


def test_a_local_file_builds_what_was_chosen_however_few_rows():
    assert IndexParams("HNSW").build_options(64, 3, is_lite=True)["index_type"] == "HNSW"
    assert IndexParams().build_options(64, 10**6, is_lite=True)["index_type"] == "FLAT"


@pytest.mark.parametrize(("index_type", "name"), [("HNSW", "ef"), ("DISKANN", "search_list")])
def test_search_breadth_is_at_least_the_number_of_hits(index_type, name):
    params = IndexParams(index_type, search={name: 10})
    assert params.search_options(500)["params"][name] == 500
    assert params.search_options(5)["params"][name] == 10


def test_distances_of_all_metrics_become_the_cosine():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 20))
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    squared = np.array([((a - b) ** 2).sum()])
    for metric, distance in (("L2", squared), ("IP", np.array([a @ b])), ("COSINE", np.array([a @ b]))):
        np.testing.assert_allclose(to_scores(distance, metric), a @ b)


def test_parameters_reach_a_local_file(tmp_path):
    encoder = HashEncoder(16)
    items = [Item(id=str(number), text=f"word {number * 7919}") for number in range(300)]
    n_hits = {}
    for nlist, nprobe in ((2, 2), (64, 1)):
        params = IndexParams("IVF_FLAT", build={"nlist": nlist}, search={"nprobe": nprobe})
        with VectorIndex.connect(str(tmp_path / "a.db"), params=params) as index:
            version = index.open(index.build(items, encoder), fingerprint=encoder.fingerprint)
            n_hits[nlist] = len(version.search_items(encoder.encode(["word"]), top_k=300).ids[0])
    assert n_hits[2] == 300
    assert n_hits[64] < 100
