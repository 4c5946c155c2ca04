"""The public names: what is added or taken away here is a change that users see."""

import ast
import importlib
import importlib.metadata
from importlib.resources import files

import pytest

PUBLIC = {
    "zeroshot_core": [
        "ArtifactError",
        "Concept",
        "ConnectionFailedError",
        "Contribution",
        "Encoder",
        "Evidence",
        "Findings",
        "FingerprintMismatchError",
        "FunctionEncoder",
        "Hit",
        "IndexLockedError",
        "IndexParams",
        "InvalidInputError",
        "Item",
        "KnowledgeGraph",
        "MissingExtraError",
        "NotFittedError",
        "NoveltyDetector",
        "Prediction",
        "PromptedClassifier",
        "Prompting",
        "Relation",
        "Retriever",
        "TableSchema",
        "UnknownConceptError",
        "UnsupportedIndexError",
        "VectorIndex",
        "VectorIndexError",
        "VersionNotFoundError",
        "ZeroShotClassifier",
        "ZeroShotError",
        "ZeroShotRanker",
        "ZeroShotRegressor",
        "items_from_frame",
        "load_encoder",
        "load_model",
    ],
    "langchain_zeroshot": [
        "PredictionInput",
        "PredictionOutput",
        "ZeroShotEmbeddings",
        "ZeroShotGraphBuilder",
        "ZeroShotPredictor",
        "ZeroShotReranker",
        "ZeroShotRetriever",
        "ZeroShotRouter",
        "ZeroShotToolSelector",
        "ZeroShotVectorStore",
        "from_documents",
        "from_graph_documents",
        "prediction_evaluators",
        "to_graph_documents",
        "zero_shot_tools",
    ],
    "llama_index_zeroshot": [
        "ZeroShotEmbedding",
        "ZeroShotGraphBuilder",
        "ZeroShotPropertyGraphStore",
        "ZeroShotQueryEngine",
        "ZeroShotRerank",
        "ZeroShotRetriever",
        "ZeroShotSelector",
        "ZeroShotToolRetriever",
        "from_entities",
        "from_nodes",
        "from_property_graph",
        "reuse_vectors",
        "to_entities",
        "to_property_graph",
        "zero_shot_tools",
    ],
}
LAZY = [
    "zeroshot_core",
    *(f"zeroshot_core.{name}" for name in ("construction", "encoders", "frames", "graph", "index")),
]


@pytest.mark.parametrize("package", PUBLIC)
def test_public_names_are_these(package: str) -> None:
    assert sorted(importlib.import_module(package).__all__) == PUBLIC[package]


@pytest.mark.parametrize(("package", "name"), [(p, name) for p, names in PUBLIC.items() for name in names])
def test_public_name_resolves(package: str, name: str) -> None:
    assert getattr(importlib.import_module(package), name).__name__ == name


@pytest.mark.parametrize("package", PUBLIC)
def test_package_says_that_it_is_typed(package: str) -> None:
    assert (files(package) / "py.typed").is_file()


@pytest.mark.parametrize("package", LAZY)
def test_a_stub_says_what_a_package_exports_when_it_is_first_named(package: str) -> None:
    module = importlib.import_module(package)
    stub = ast.parse((files(package) / "__init__.pyi").read_text(encoding="utf-8"))
    imported = [alias.name for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    (exported,) = [
        ast.literal_eval(node.value)
        for node in stub.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]

    assert sorted(imported) == sorted(exported) == sorted(module.__all__)
    for name in exported:
        assert hasattr(module, name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="zeroshot_core attribute Oracle"):
        importlib.import_module("zeroshot_core").Oracle  # noqa: B018


def test_all_public_names_are_listed_for_completion() -> None:
    assert set(dir(importlib.import_module("zeroshot_core"))) >= set(PUBLIC["zeroshot_core"])


def test_version_is_that_of_the_distribution() -> None:
    installed = importlib.metadata.version("zeroshot-milvus")

    assert importlib.import_module("zeroshot_core").__version__ == installed
