"""Transduction: labels of given texts of which few or none have one, from where the texts lie.

Vectors are smoothed over the graph of nearest neighbours [1]_, and prototypes that begin at the labels' own
vectors move to the texts that seem theirs, each label as frequent as any other [2]_. The settings are the
same for all data. No library serves: scikit-learn's label propagation begins at labelled texts alone and
balances nothing, and solvers of optimal transport move no prototypes.

References
----------
.. [1] Wu et al., "Simplifying Graph Convolutional Networks", ICML 2019 (smoothed vectors).
.. [2] Cuturi, "Sinkhorn Distances: Lightspeed Computation of Optimal Transport", NeurIPS 2013 (balance).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.training.assignment import TEMPERATURE, assigned, unit_rows

if TYPE_CHECKING:
    import numpy.typing as npt
    from scipy.sparse import csr_matrix

    from zeroshot_core.index import OpenVersion
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["TUNED_TEMPERATURE", "assign_labels", "expected_accuracy", "neighbour_graph", "share_of_texts"]

# Tuned vectors lie further apart, on CLINC150's training texts by a factor of 1.4: .852 of these get their
# label by this temperature, .845 by that of plain vectors.
TUNED_TEMPERATURE = 0.05
# Of a label's own vector in its prototype, counted in texts.
_LABEL_WEIGHT = 40.0
# Errors for each disagreement of two halves: on three sets of training texts 1.7, 2.4 and 2.5.
_ERRORS_PER_DISAGREEMENT = 2.2
_FEWEST_KNOWN = 20
_N_PARTS = 3
_N_NEIGHBOURS = 15
_SHARPNESS = 3
_DAMPINGS = (0.5, 0.8)
_N_STEPS = 20


def neighbour_graph(version: OpenVersion, ids: list[str], vectors: Vectors) -> csr_matrix:
    """Link each item to its 15 nearest by a search in Milvus, shape (n, n), symmetric and normalised.

    Parameters
    ----------
    ids, vectors
        Of the items, shapes (n,) and (n, d); other items of the version are passed over.
    """
    from scipy.sparse import csr_matrix, diags

    places = {id_: row for row, id_ in enumerate(ids)}
    found = version.search_items(vectors, _N_NEIGHBOURS + 1)
    links = [
        (row, places[id_], max(float(score), 0.0) ** _SHARPNESS)
        for row, (near, scores) in enumerate(zip(found.ids, found.scores, strict=True))
        for id_, score in zip(near, scores, strict=True)
        if places.get(id_, row) != row
    ]
    rows, columns, weights = zip(*links, strict=True) if links else ((), (), ())
    graph = csr_matrix((np.array(weights, dtype=np.float64), (rows, columns)), shape=(len(ids), len(ids)))
    graph = graph + graph.T
    scale = diags(1.0 / np.sqrt(np.maximum(np.asarray(graph.sum(axis=1)).ravel(), 1e-12)))
    return csr_matrix(scale @ graph @ scale)


def assign_labels(
    labels: Vectors,
    vectors: Vectors,
    graph: csr_matrix,
    known: Ints | None = None,
    *,
    temperature: float = TEMPERATURE,
    prior_logits: Floats | None = None,
) -> Floats:
    """Say how much of each label is in each text, shape (n, c); rows sum to 1.

    Labels are taken to be about equally frequent, as far as nothing else is known of them. A label's own
    vector and the mean of the texts known to have it count alike for where it lies.

    Parameters
    ----------
    labels, vectors
        Shapes (c, d) and (n, d), unit rows.
    graph
        Of `neighbour_graph`, shape (n, n).
    known
        Shape (n,): the label of a text, or -1 where it is not known.
    temperature
        Of the similarities; `TUNED_TEMPERATURE` for vectors of an encoder tuned on these labels.
    prior_logits
        Logarithms of probabilities that a head learned from examples gives, shape (n, c); None for none.

    Raises
    ------
    InvalidInputError
        If there are fewer texts than labels.
    """
    if len(vectors) < len(labels):
        raise InvalidInputError(
            f"expected at least as many distinct texts as the {len(labels)} labels, got {len(vectors)}; "
            "give more in unlabelled, or leave it out"
        )
    rows = unit_rows(vectors - vectors.mean(axis=0))
    anchors = _anchors(labels, rows, known)
    fixed = None if known is None else (known >= 0, np.eye(len(labels))[np.maximum(known, 0)])
    found = [
        assigned(
            unit_rows(_smoothed(rows, graph, damping)),
            anchors,
            temperature=temperature,
            anchor_weight=_LABEL_WEIGHT,
            fixed=fixed,
            leaning=prior_logits,
        )
        for damping in _DAMPINGS
    ]
    return np.asarray(np.mean(found, axis=0))


def _anchors(labels: Vectors, rows: Floats, known: Ints | None) -> Floats:
    """Where labels lie before any text is assigned, unit rows (c, d)."""
    anchors = unit_rows(labels - labels.mean(axis=0))
    if known is None or not (known >= 0).any():
        return anchors
    sums = np.zeros_like(anchors)
    np.add.at(sums, known[known >= 0], rows[known >= 0])
    return unit_rows(anchors + unit_rows(sums))


def expected_accuracy(
    labels: Vectors,
    vectors: Vectors,
    graph: csr_matrix,
    known: Ints,
    *,
    temperature: float = TEMPERATURE,
    random_state: int,
) -> float:
    """Estimate how many texts get the right label, in [0, 1].

    With 20 or more labelled texts it is their accuracy while their labels are hidden, a third at a time. With
    fewer it comes from two halves of the texts: prototypes of one half assign the texts of the
    other as they assign themselves, if the texts show where the labels are. The disagreement, the least of
    three ways to halve them, since a chance start adds to it, is divided by the share that texts have in a
    prototype, since the labels' own vectors agree in both halves whether right or wrong. Negative estimates
    become 0.

    Parameters
    ----------
    labels, vectors, graph, temperature
        As in `assign_labels`.
    known
        Shape (n,): the label of a text, or -1.
    """
    rng = np.random.default_rng(random_state)
    labelled = rng.permutation(np.flatnonzero(known >= 0))
    if len(labelled) >= _FEWEST_KNOWN:
        right = [
            _right_when_hidden(labels, vectors, graph, known, labelled[k::_N_PARTS], temperature)
            for k in range(_N_PARTS)
        ]
        return float(np.concatenate(right).mean())
    halves = [rng.permutation(len(vectors)) for _ in range(_N_PARTS)]
    disagreement = min(_disagreement(labels, vectors, graph, each, temperature) for each in halves)
    share = share_of_texts(len(vectors) // 2, len(labels))
    return max(0.0, 1.0 - _ERRORS_PER_DISAGREEMENT * disagreement / share)


def share_of_texts(n_texts: int, n_labels: int) -> float:
    """How far the texts, rather than the labels' own vectors, make a mean prototype, in [0, 1)."""
    return n_texts / (n_texts + _LABEL_WEIGHT * n_labels)


def _right_when_hidden(
    labels: Vectors, vectors: Vectors, graph: csr_matrix, known: Ints, hidden: Ints, temperature: float
) -> npt.NDArray[np.bool_]:
    """Whether texts get their labels while these are hidden, shape of `hidden`."""
    left = known.copy()
    left[hidden] = -1
    shares = assign_labels(labels, vectors, graph, left, temperature=temperature)
    return np.asarray(shares[hidden].argmax(axis=1) == known[hidden])


def _disagreement(
    labels: Vectors, vectors: Vectors, graph: csr_matrix, order: Ints, temperature: float
) -> float:
    """Share of the texts to which prototypes of two halves, dealt in this order, give different labels."""
    best = []
    for half in (np.sort(order[0::2]), np.sort(order[1::2])):
        shares = assign_labels(labels, vectors[half], graph[half][:, half], temperature=temperature)
        centre = vectors[half].mean(axis=0)
        rows = unit_rows(vectors[half] - centre)
        prototypes = unit_rows(shares.T @ rows + _LABEL_WEIGHT * unit_rows(labels - labels.mean(axis=0)))
        best.append((unit_rows(vectors - centre) @ prototypes.T).argmax(axis=1))
    return float((best[0] != best[1]).mean())


def _smoothed(rows: Floats, graph: csr_matrix, damping: float) -> Floats:
    found = rows
    for _ in range(_N_STEPS):
        found = damping * (graph @ found) + (1.0 - damping) * rows
    return found
