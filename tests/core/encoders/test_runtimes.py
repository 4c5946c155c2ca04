"""Models run by onnxruntime: the same vectors, exported once, kept, and refused when they drift."""

import json
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from zeroshot_core import ZeroShotClassifier
from zeroshot_core.encoders import encoder_from_config, in_runtime, load_encoder
from zeroshot_core.encoders.graph_encoder import GraphEncoder
from zeroshot_core.encoders.onnx import OnnxSession
from zeroshot_core.encoders.processor import Processor
from zeroshot_core.errors import ArtifactError, FingerprintMismatchError, InvalidInputError, MissingExtraError
from zeroshot_core.index import VectorIndex
from zeroshot_core.types import Item

TEXTS = ["milk", "a red bicycle for children", "tomato soup with basil " * 5, "tinned soup", "sea"]


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def folder(bert, tmp_path_factory):
    """A model with its graphs beside it."""
    place = tmp_path_factory.mktemp("model") / "bert"
    shutil.copytree(bert, place)
    for runtime in ("onnx", "onnx-int8"):
        load_encoder(place, runtime=runtime)
    return place


@pytest.fixture
def no_export(monkeypatch):
    def fail(*_):
        raise AssertionError("the graph was exported again")

    for step in ("export_graph", "quantise_graph"):
        monkeypatch.setattr(f"zeroshot_core.encoders.runtimes.{step}", fail)


def cosines(rows, others):
    return (rows * others).sum(axis=1)


@pytest.mark.parametrize("batch_tokens", [1, 60, 10_000])
def test_exact_graph_gives_the_vectors_and_the_fingerprint_of_torch(folder, batch_tokens):
    plain = load_encoder(folder)
    exact = load_encoder(folder, runtime="onnx", batch_tokens=batch_tokens)
    assert cosines(exact.encode(TEXTS), plain.encode(TEXTS)).min() > 0.99999
    assert exact.fingerprint == plain.fingerprint
    assert (plain.runtime, plain.agreement) == ("torch", None)
    assert (exact.runtime, exact.agreement.lowest) == ("onnx", pytest.approx(1.0, abs=1e-4))


def test_batches_run_side_by_side_come_back_in_their_places(folder, monkeypatch):
    exact = load_encoder(folder, runtime="onnx", batch_tokens=20)
    many = [f"{word} {'soup ' * (i % 5)}" for i, word in enumerate(["milk", "bicycle", "sea", "ship"] * 10)]
    expected = exact.encode(many)
    inside, most = [], []
    run = OnnxSession.run

    def counted(self, features):
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.002)
        inside.pop()
        return run(self, features)

    monkeypatch.setattr(OnnxSession, "run", counted)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    np.testing.assert_allclose(exact.encode(many), expected, atol=1e-5)
    assert 1 < max(most) <= 3


def test_open_graph_outlives_its_folder(folder, tmp_path):
    moved = shutil.copytree(folder, tmp_path / "model")
    exact = load_encoder(moved, runtime="onnx", batch_tokens=20)
    alone = np.concatenate([exact.encode([text]) for text in TEXTS])
    shutil.rmtree(moved)
    np.testing.assert_allclose(exact.encode(TEXTS), alone, atol=1e-5)


def test_quantised_graph_has_a_fingerprint_of_its_own_and_tells_its_loss(folder):
    plain, small = load_encoder(folder), load_encoder(folder, runtime="onnx-int8")
    found = cosines(small.encode(TEXTS), plain.encode(TEXTS))
    assert small.fingerprint != plain.fingerprint
    assert 0.9 < found.min() < 0.99999
    assert found.mean() == pytest.approx(small.agreement.mean, abs=0.01)


def on_processor(patch, *flags, name="of the test", machine="x86_64"):
    """Have the package take this processor for one with those flags."""
    processor = Processor(name=name, machine=machine, flags=flags)
    for place in ("onnx", "runtimes"):
        patch.setattr(f"zeroshot_core.encoders.{place}.this_processor", lambda: processor)


@pytest.mark.parametrize(
    ("machine", "flags", "bits"),
    [("x86_64", ["avx2"], 7), ("x86_64", ["avx2", "avx512_vnni"], 8), ("AMD64", [], 7), ("arm64", [], 8)],
)
def test_products_take_the_bits_that_the_processor_adds_up_rightly(folder, monkeypatch, machine, flags, bits):
    on_processor(monkeypatch, *flags, machine=machine)
    small = load_encoder(folder, runtime="onnx-int8")
    assert small.weight_bits == bits
    assert in_runtime(load_encoder(folder), "onnx-int8", weight_bits=bits).fingerprint == small.fingerprint


def test_a_graph_for_another_processor_gives_the_same_vectors_and_says_that_it_is_slow(folder, monkeypatch):
    config = in_runtime(load_encoder(folder), "onnx-int8", weight_bits=8).to_config()
    expected = encoder_from_config(config).encode(TEXTS)
    on_processor(monkeypatch, "avx2")
    with pytest.warns(UserWarning, match=r"made for a processor with VNNI, this one is of the test \(avx2\)"):
        opened = encoder_from_config(config)
    assert (
        opened.fingerprint == config["fingerprint"] != load_encoder(folder, runtime="onnx-int8").fingerprint
    )
    np.testing.assert_allclose(opened.encode(TEXTS), expected, atol=1e-4)


def test_a_model_saved_with_the_bits_of_another_processor_opens_where_its_graph_is_gone(folder, tmp_path):
    moved = shutil.copytree(folder, tmp_path / "model", ignore=shutil.ignore_patterns("onnx"))
    for bits in (7, 8):
        small = in_runtime(load_encoder(moved), "onnx-int8", weight_bits=bits)
        shutil.rmtree(moved / "onnx")
        opened = encoder_from_config(small.to_config())
        assert (opened.weight_bits, opened.fingerprint) == (bits, small.fingerprint)


def test_a_graph_without_a_note_of_its_bits_is_of_seven(folder, tmp_path):
    onnx = pytest.importorskip("onnx")
    moved = shutil.copytree(folder, tmp_path / "model")
    small = in_runtime(load_encoder(moved), "onnx-int8", weight_bits=7)
    graph = moved / "onnx" / small.fingerprint / "model.onnx"
    bare = onnx.load(graph)
    del bare.metadata_props[:]
    onnx.save(bare, graph)
    assert encoder_from_config(small.to_config()).fingerprint == small.fingerprint


@pytest.mark.parametrize(("runtime", "bits"), [("onnx", 8), ("torch", 7), ("onnx-int8", 4)])
def test_bits_that_no_graph_has_are_refused(folder, runtime, bits):
    with pytest.raises(InvalidInputError, match=f"weight_bits=7 or 8 .* got {bits} with '{runtime}'"):
        in_runtime(load_encoder(folder), runtime, weight_bits=bits)


def test_batches_are_measured_once_a_kind_of_processor_and_kept_beside_the_graph(
    folder, monkeypatch, tmp_path
):
    moved = shutil.copytree(folder, tmp_path / "model")
    kept = moved / "onnx" / load_encoder(moved).fingerprint / "batch_tokens.json"
    kept.write_text('{"of the test": 1024, "another": 5}')
    on_processor(monkeypatch)
    assert batches_of(load_encoder(moved, runtime="onnx"), monkeypatch) == [600]
    on_processor(monkeypatch, name="a new one")
    load_encoder(moved, runtime="onnx")
    assert json.loads(kept.read_text()) == {"of the test": 1024, "a new one": pytest.approx(640, abs=384)}


@pytest.mark.parametrize("content", ["{", "[]", '{"of the test": "many"}', '{"of the test": 1e99}'])
def test_batches_that_were_not_measured_are_of_256_tokens(folder, monkeypatch, tmp_path, content):
    moved = shutil.copytree(folder, tmp_path / "model")
    exact = load_encoder(moved, runtime="onnx")
    (moved / "onnx" / exact.fingerprint / "batch_tokens.json").write_text(content)
    on_processor(monkeypatch)
    assert batches_of(encoder_from_config(exact.to_config()), monkeypatch) == [201, 201, 198]


def batches_of(encoder, patch):
    """Tokens in each batch of 200 short texts, on one thread."""
    seen, run = [], OnnxSession.run

    def counted(self, features):
        seen.append(features["input_ids"].size)
        return run(self, features)

    with patch.context() as inside:
        inside.setattr(OnnxSession, "run", counted)
        inside.setattr(torch, "get_num_threads", lambda: 1)
        encoder.encode([f"{i}" for i in range(200)])
    return seen


def test_index_accepts_that_eight_bits_depend_on_the_batch_a_little(folder, no_export, tmp_path):
    small = load_encoder(folder, runtime="onnx-int8")
    assert 0.6 < small.repeatability <= load_encoder(folder, runtime="onnx").repeatability
    with VectorIndex.connect(str(tmp_path / "index.db")) as index:
        index.activate(index.build([Item(id=text, text=text) for text in TEXTS], small))
        found = index.open(fingerprint=small.fingerprint).search_items(small.encode(TEXTS), 1)
    assert [ids[0] for ids in found.ids] == TEXTS


def test_graphs_are_exported_once_and_lie_beside_the_model(folder, no_export):
    for runtime in ("onnx", "onnx-int8"):
        encoder = load_encoder(folder, runtime=runtime)
        assert (folder / "onnx" / encoder.fingerprint / "model.onnx").exists()


def test_config_remembers_the_runtime(folder, no_export):
    small = load_encoder(folder, runtime="onnx-int8")
    config = json.loads(json.dumps(small.to_config()))
    opened = encoder_from_config(config)
    assert opened.runtime == "onnx-int8"
    np.testing.assert_allclose(opened.encode(TEXTS), small.encode(TEXTS), atol=1e-6)
    with pytest.raises(FingerprintMismatchError):
        encoder_from_config(config, encoder=load_encoder(folder))


def test_saved_folder_takes_the_graph_along(folder, no_export, tmp_path):
    load_encoder(folder, runtime="onnx").save(tmp_path / "copy")
    copy = load_encoder(tmp_path / "copy", runtime="onnx")
    assert copy.runtime == "onnx"
    np.testing.assert_allclose(copy.encode(TEXTS), load_encoder(folder).encode(TEXTS), atol=1e-5)


def test_changed_weights_or_settings_never_meet_an_old_graph(folder, no_export):
    changed = load_encoder(folder)
    with torch.no_grad():
        changed.model[0].model.encoder.layer[0].output.dense.weight[0, 0] += 1e-3
    for other in (changed, load_encoder(folder, pooling="cls"), load_encoder(folder, max_length=9)):
        with pytest.raises(AssertionError, match="exported again"):
            in_runtime(other, "onnx")


@pytest.mark.slow
def test_decoder_that_pools_the_last_token_is_exported_too(gpt2):
    plain = load_encoder(gpt2)
    assert cosines(in_runtime(plain, "onnx").encode(TEXTS), plain.encode(TEXTS)).min() > 0.9999


def test_graph_that_drifts_is_refused_with_figures(folder, monkeypatch, tmp_path):
    shutil.copytree(folder, tmp_path / "model", ignore=shutil.ignore_patterns("onnx"))
    turned = OnnxSession.run
    monkeypatch.setattr(OnnxSession, "run", lambda self, features: turned(self, features)[:, ::-1])
    shutil.copytree(folder / "onnx", tmp_path / "cache" / "zeroshot-milvus" / "onnx")
    exact = load_encoder(folder).fingerprint
    # Other tests have graphs of other bits made.
    for graph in (tmp_path / "cache" / "zeroshot-milvus" / "onnx").iterdir():
        if graph.name != exact:
            shutil.rmtree(graph)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(
        InvalidInputError,
        match=r"agree with torch to a cosine of 0\.9, got -0\.\d+ at the lowest and",
    ):
        load_encoder(tmp_path / "model", runtime="onnx-int8")
    assert not any((tmp_path / "model").glob("onnx/*"))


def test_damaged_graph_is_refused_with_the_remedy(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "model")
    for graph in tmp_path.glob("model/onnx/*/model.onnx"):
        graph.write_bytes(b"junk")
    with pytest.raises(ArtifactError, match="delete its folder, and the graph is exported anew"):
        load_encoder(tmp_path / "model", runtime="onnx")


def test_unknown_runtime_is_refused_before_anything_is_opened():
    with pytest.raises(InvalidInputError, match="to be one of 'torch', 'onnx', 'onnx-int8', got 'tpu'"):
        load_encoder("./nowhere", runtime="tpu")


def test_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"zeroshot-milvus\[onnx\]"):
        load_encoder("./nowhere", runtime="onnx")


@pytest.mark.slow
def test_minilm_in_eight_bits_keeps_its_neighbours_and_says_nothing(minilm, tmp_path):
    code = (
        "import numpy, sys, warnings; warnings.simplefilter('error')\n"
        "from zeroshot_core.encoders import load_encoder\n"
        "rows = load_encoder(runtime='onnx-int8').encode(sys.argv[2:])\n"
        "numpy.save(sys.argv[1], rows)"
    )
    out = tmp_path / "rows.npy"
    done = subprocess.run(
        [sys.executable, "-c", code, out, *TEXTS], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert cosines(np.load(out), minilm.encode(TEXTS)).min() > 0.97


def planted_graph(folder, *, inputs=("input_ids",), weights=None, width=32):
    """Write a graph of someone else's making where the exported one of a model is looked for."""
    from onnx import TensorProto, helper

    weight = TensorProto(name="weight", data_type=TensorProto.FLOAT, dims=[1, width])
    if weights is None:
        weight.float_data.extend([1.0] * width)
    else:
        weight.data_location = TensorProto.EXTERNAL
        for key, value in (("location", weights), ("offset", "0"), ("length", str(4 * width))):
            entry = weight.external_data.add()
            entry.key, entry.value = key, value
    nodes = [
        helper.make_node("Cast", [inputs[0]], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["numbers"], ["largest"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["largest", "weight"], ["sentence_embedding"]),
    ]
    given = [helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "length"]) for name in inputs]
    made = [helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, ["n", width])]
    graph = helper.make_graph(nodes, "planted", given, made, [weight])
    place = folder / "onnx" / load_encoder(folder).fingerprint
    (place / "model.onnx").write_bytes(
        helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
        ).SerializeToString()
    )
    return place


@pytest.mark.parametrize("weights", ["../../../secret.bin", "/etc/hostname", "link.bin"])
def test_graph_reads_no_weights_that_lie_elsewhere(weights, folder, tmp_path):
    moved = shutil.copytree(folder, tmp_path / "model")
    (tmp_path / "secret.bin").write_bytes(bytes(4096))
    place = planted_graph(moved, weights=weights)
    (place / "link.bin").symlink_to(tmp_path / "secret.bin")
    with pytest.raises(ArtifactError, match="one that cannot be opened"):
        load_encoder(moved, runtime="onnx")


def test_graphs_that_do_not_fit_the_model_are_refused(folder, tmp_path):
    moved = shutil.copytree(folder, tmp_path / "model")
    planted_graph(moved, width=8)
    with pytest.raises(ArtifactError, match=r"expected vectors of shape \(1, 32\) from .* got \(1, 8\)"):
        load_encoder(moved, runtime="onnx").encode(["milk"])
    planted_graph(moved, inputs=("pixels",))
    with pytest.raises(ArtifactError, match=r"one that cannot be run \('pixels'\)"):
        load_encoder(moved, runtime="onnx").encode(["milk"])


@pytest.mark.parametrize("text", ["[]", '{"mean": "x", "lowest": 1}', '{"mean": 1, "lowest": 1e999}', "{"])
def test_damaged_agreement_is_refused(text, folder, tmp_path):
    moved = shutil.copytree(folder, tmp_path / "model")
    encoder = load_encoder(moved, runtime="onnx")
    (moved / "onnx" / encoder.fingerprint / "agreement.json").write_text(text)
    with pytest.raises(ArtifactError, match="expected a model's graph and its agreement in"):
        _ = load_encoder(moved, runtime="onnx").agreement


WITHOUT_TORCH = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "transformers", "sentence_transformers"):
            raise ModuleNotFoundError(f"No module named {name!r}")

sys.meta_path.insert(0, Blocker())
from fastapi.testclient import TestClient
from zeroshot_core.cli.main import app
from zeroshot_core.prediction import load_model
from zeroshot_core.retrieval import Retriever
from zeroshot_core.serving.service import ServiceSettings, service_of

folder = sys.argv[1]
model = load_model(folder, read_only=True)
print(model.predict(["red bicycle"])[0], model.retriever_.retrieve(["tinned soup"], top_k=1)[0][0].text)
model.retriever_.save("retriever")
model.close()
print(Retriever.load("retriever", read_only=True).retrieve(["tinned soup"], top_k=1)[0][0].text)
with TestClient(service_of(ServiceSettings(model=folder))) as client:
    while client.get("/ready").status_code == 503:
        pass
    print(client.post("/classify", json={"inputs": ["red bicycle"]}).json()["labels"][0]["label"])
    print(client.post("/explain", json={"inputs": ["red bicycle"]}).json()["predictions"][0]["value"])
    print(client.post("/retrieve", json={"queries": ["tinned soup"], "k": 1}).json()["results"][0][0]["text"])
for words in (["predict", "row.csv"], ["classify", "red bicycle"]):
    app([*words, "--model", folder, "--json"], standalone_mode=False)
"""


def saved_answers(encoder, folder, **options):
    model = ZeroShotClassifier(encoder).fit(TEXTS[1:4], ["toys", "food", "food"])
    model.save(folder, **options)
    told = [model.predict(["red bicycle"])[0], model.retriever_.retrieve(["tinned soup"], top_k=1)[0][0].text]
    model.close()
    return told


def test_a_portable_model_is_served_where_torch_is_not_installed(folder, tmp_path):
    label, text = saved_answers(load_encoder(folder, runtime="onnx"), tmp_path / "model", portable=True)
    (tmp_path / "row.csv").write_text("text\nred bicycle\n")
    # It opens with neither the encoder's folder nor the cache.
    program = [sys.executable, "-W", "error", "-c", WITHOUT_TORCH, str(tmp_path / "model")]
    told = subprocess.run(program, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert told.returncode == 0, told.stderr
    *answers, predicted, classified = told.stdout.splitlines()
    assert answers == [f"{label} {text}", text, label, label, text]
    assert [json.loads(each)["predictions"][0]["label"] for each in (predicted, classified)] == [label] * 2


def test_a_command_imports_no_more_than_it_needs_to_answer(folder, tmp_path):
    saved_answers(load_encoder(folder, runtime="onnx"), tmp_path / "model")
    (tmp_path / "row.csv").write_text("text\nred bicycle\n")
    program = (
        "import sys; from zeroshot_core.cli.main import app\n"
        "app(['predict', 'row.csv', '--model', 'model'], standalone_mode=False); print(*sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path
    )

    heavy = {"torch", "transformers", "sentence_transformers", "onnx", "skops", "networkx", "matplotlib"}
    parts = {
        "sklearn.ensemble",
        "sklearn.linear_model",
        "sklearn.cluster",
        "sklearn.metrics",
        "scipy.optimize",
    }
    late = {"scipy.stats._stats_py"}
    assert not (heavy | parts | late) & set(told.stdout.split())


def test_a_saved_model_opens_its_graph_and_the_model_when_asked(folder, tmp_path):
    plain = load_encoder(folder, runtime="onnx", batch_tokens=20)
    opened = encoder_from_config(plain.to_config())

    assert isinstance(opened, GraphEncoder)
    assert "_model" not in vars(opened)
    assert opened.to_config() == plain.to_config()
    assert (cosines(opened.encode(TEXTS), plain.encode(TEXTS)) > 0.9999).all()
    assert "_model" not in vars(opened)
    assert in_runtime(opened, "torch").fingerprint == load_encoder(folder).fingerprint
    opened.save(tmp_path / "copy")
    assert load_encoder(tmp_path / "copy").fingerprint == load_encoder(folder).fingerprint


def test_only_an_encoder_with_a_graph_is_portable(folder, tmp_path):
    with pytest.raises(ArtifactError, match=r"expected an encoder with a graph .* runtime=\"onnx\""):
        saved_answers(load_encoder(folder), tmp_path / "model", portable=True)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"model": 1}'])
def test_damaged_facts_beside_a_graph_are_refused(folder, tmp_path, content):
    plain = load_encoder(folder, runtime="onnx")
    moved = tmp_path / "bert"
    shutil.copytree(folder, moved)
    (moved / "onnx" / plain.fingerprint / "encoder.json").write_text(content)

    with pytest.raises(ArtifactError, match="expected a graph with its tokenizer"):
        encoder_from_config({**plain.to_config(), "name_or_path": str(moved)})


def test_a_fingerprint_that_is_a_path_leads_nowhere(folder):
    plain = load_encoder(folder, runtime="onnx")
    config = {**plain.to_config(), "fingerprint": f"../onnx/{plain.fingerprint}"}

    with pytest.raises(FingerprintMismatchError):
        encoder_from_config(config)
