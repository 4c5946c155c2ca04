"""Contrastive objectives, each computed from one similarity matrix over the distinct texts of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zeroshot_core.checks import real
from zeroshot_core.errors import InvalidInputError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "GRADED_TEMPERATURE",
    "constraint_loss",
    "graded_similarity_loss",
    "supervised_contrastive_loss",
    "weighted_contrast",
]

# Targets tell less of each other than labels do. As cold as for labels, the best answer is vectors all alike.
GRADED_TEMPERATURE = 1.0


def supervised_contrastive_loss(vectors: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Pull texts of one label together and push those of others apart [1]_ (its ``L_out``).

    ``mean over i of -1/|P(i)| * sum over p in P(i) of log softmax(s_i / temperature)_p``, where ``s`` are the
    inner products with all texts but `i` itself, and ``P(i)`` are the other texts of its label. Texts without
    another of their label are left out of the mean, but push the others away.

    Parameters
    ----------
    vectors
        Shape (n, d), unit rows, one for each distinct text.
    labels
        Shape (n,), whole numbers.
    temperature
        Above 0; the smaller, the more the nearest texts count.

    Returns
    -------
    Tensor
        A number of at least 0; 0 if no two texts share a label.

    Raises
    ------
    InvalidInputError
        If the shapes differ or the temperature is not above 0.

    References
    ----------
    .. [1] Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020.
    """
    _check(vectors, labels, temperature)
    return weighted_contrast(vectors, (labels[:, None] == labels[None, :]).to(vectors.dtype), temperature)


def graded_similarity_loss(vectors: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """Pull texts together by how near their targets are: the y-aware InfoNCE [1]_.

    ``mean over i of -sum over j of w_ij log softmax(s_i / temperature)_j``, where ``w_ij`` is proportional to
    ``exp(-|y_i - y_j|^2 / (2 horizon))``, sums to 1 over ``j != i``, and ``s`` are inner products.

    Parameters
    ----------
    vectors
        Shape (n, d), unit rows, one for each distinct text.
    targets
        Shape (n,) or (n, horizon), in units of the distance that counts as near.
    temperature
        Above 0.

    Returns
    -------
    Tensor
        A number of at least the entropy of the weights.

    Raises
    ------
    InvalidInputError
        If the shapes differ or the temperature is not above 0.

    References
    ----------
    .. [1] Dufumier et al., "Contrastive Learning with Continuous Proxy Meta-Data for 3D MRI Classification",
       MICCAI 2021.
    """
    _check(vectors, targets, temperature)
    curves = targets.reshape(len(targets), -1).to(vectors.dtype)
    gaps = (curves[:, None, :] - curves[None, :, :]).square().mean(dim=2)
    # The nearest other text always weighs 1, so that no row of weights underflows for an outlier.
    nearest = gaps.clone().fill_diagonal_(float("inf")).amin(dim=1, keepdim=True)
    return weighted_contrast(vectors, (-(gaps - nearest) / 2).exp(), temperature)


def constraint_loss(similarities: Tensor, places: Tensor, temperature: float) -> Tensor:
    """Keep each anchor nearer to its positive than to its own negatives: the InfoNCE of [1]_.

    ``mean over i of -log(e_p / (e_p + sum over n of e_n))`` with ``e = exp(similarity / temperature)``.

    Parameters
    ----------
    similarities
        Inner products of all texts of the step, shape (n, n).
    places
        Anchor, positive and negatives of each constraint as rows of `similarities`, shape (m, 2 + k); -1
        fills up where there are fewer negatives than k.
    temperature
        Above 0.

    Returns
    -------
    Tensor
        A number of at least 0.

    References
    ----------
    .. [1] van den Oord et al., "Representation Learning with Contrastive Predictive Coding", 2018.
    """
    picked = similarities[places[:, :1], places[:, 1:].clamp(min=0)] / temperature
    picked = picked.masked_fill(places[:, 1:] < 0, float("-inf"))
    return -picked.log_softmax(dim=1)[:, 0].mean()


def weighted_contrast(
    vectors: Tensor, weights: Tensor, temperature: float, left_out: Tensor | None = None
) -> Tensor:
    """Cross entropy between row-wise weights and the softmax of similarities, each text itself left out.

    Parameters
    ----------
    vectors
        Shape (n, d), unit rows.
    weights
        How much each text shall be near to each other one, shape (n, n). A row without any above 0 is left
        out of the mean.
    temperature
        Above 0.
    left_out
        Pairs that count neither as near nor as far, bool of shape (n, n); none of them weighs anything.
    """
    itself = _diagonal(weights)
    masked = itself if left_out is None else left_out | itself
    others = weights.masked_fill(itself, 0.0)
    totals = others.sum(dim=1)
    if len(vectors) < 2 or not totals.any():
        return vectors.sum() * 0.0
    similarities = (vectors @ vectors.T / temperature).masked_fill(masked, float("-inf"))
    logs = similarities.log_softmax(dim=1).masked_fill(masked, 0.0)
    rows = totals > 0
    return -((others * logs).sum(dim=1)[rows] / totals[rows]).mean()


def _diagonal(matrix: Tensor) -> Tensor:
    return matrix.new_ones(matrix.shape).diag().diag().bool()


def _check(vectors: Tensor, targets: Tensor, temperature: float) -> None:
    if vectors.ndim != 2 or targets.shape[:1] != vectors.shape[:1]:
        raise InvalidInputError(
            f"expected vectors of shape (n, d) and n labels or targets, got {tuple(vectors.shape)} and "
            f"{tuple(targets.shape)}"
        )
    real("temperature", temperature, above=0)
