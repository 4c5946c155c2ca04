"""Losses against values worked out by hand."""

import numpy as np
import pytest
import torch
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.training import graded_similarity_loss, supervised_contrastive_loss

# Similarities: first and second 0.6, first and third 0, second and third 0.8.
ROWS = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])


def log_share(similarities, place):
    powers = np.exp(np.asarray(similarities) / 0.5)
    return np.log(powers[place] / powers.sum())


def test_contrastive_loss_is_as_worked_out_by_hand():
    loss = supervised_contrastive_loss(ROWS, torch.tensor([7, 7, 3]), 0.5)
    # The third has no positive and only pushes the others away.
    expected = -(log_share([0.6, 0.0], 0) + log_share([0.6, 0.8], 0)) / 2
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_contrastive_loss_averages_over_several_positives():
    loss = supervised_contrastive_loss(ROWS, torch.tensor([1, 1, 1]), 0.5)
    pairs = [
        log_share([0.6, 0.0], 0) + log_share([0.6, 0.0], 1),
        log_share([0.6, 0.8], 0) + log_share([0.6, 0.8], 1),
        log_share([0.0, 0.8], 0) + log_share([0.0, 0.8], 1),
    ]
    assert loss.item() == pytest.approx(-np.mean(pairs) / 2, rel=1e-5)


def test_graded_loss_is_as_worked_out_by_hand():
    loss = graded_similarity_loss(ROWS, torch.tensor([0.0, 1.0, 3.0]), 0.5)

    def row(gaps, similarities):
        weights = np.exp(-np.square(gaps) / 2)
        weights /= weights.sum()
        return -sum(w * log_share(similarities, place) for place, w in enumerate(weights))

    expected = np.mean(
        [row([1.0, 3.0], [0.6, 0.0]), row([1.0, 2.0], [0.6, 0.8]), row([3.0, 2.0], [0.0, 0.8])]
    )
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_graded_loss_of_curves_averages_the_squared_gaps_over_the_horizon():
    targets = torch.tensor([0.0, 1.0, 3.0])
    twice = torch.stack([targets, targets], dim=1)
    assert graded_similarity_loss(ROWS, twice, 0.5) == graded_similarity_loss(ROWS, targets, 0.5)


def test_an_outlier_weighs_its_nearest_text_alone():
    loss = graded_similarity_loss(ROWS, torch.tensor([0.0, 0.0, 1e4]), 0.5)
    expected = [
        log_share([0.6, 0.0], 0),
        log_share([0.6, 0.8], 0),
        np.mean([log_share([0.0, 0.8], i) for i in (0, 1)]),
    ]
    assert loss.item() == pytest.approx(-np.mean(expected), rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "values"),
    [
        (supervised_contrastive_loss, torch.tensor([0, 0, 1, 1])),
        (graded_similarity_loss, torch.tensor([0.0, 0.1, 5.0, 5.1])),
    ],
)
def test_descent_brings_what_belongs_together_together(loss, values):
    torch.manual_seed(0)
    rows = torch.randn(4, 3, requires_grad=True)
    optimizer = torch.optim.SGD([rows], lr=0.5)
    for _ in range(200):
        optimizer.zero_grad()
        loss(torch.nn.functional.normalize(rows, dim=1), values, 0.5).backward()
        optimizer.step()
    units = torch.nn.functional.normalize(rows, dim=1).detach()
    similarities = units @ units.T
    assert min(similarities[0, 1], similarities[2, 3]) > 0.9
    assert similarities[:2, 2:].max() < 0


@pytest.mark.parametrize("labels", [[0, 1, 2], [0]])
def test_without_a_pair_the_loss_is_zero_and_harmless(labels):
    rows = ROWS[: len(labels)].clone().requires_grad_()
    loss = supervised_contrastive_loss(rows, torch.tensor(labels), 0.5)
    loss.backward()
    assert loss.item() == 0
    assert not rows.grad.any()


def test_wrong_shapes_and_temperatures_are_refused():
    with pytest.raises(InvalidInputError, match=r"expected vectors of shape \(n, d\) and n labels .* \(2,\)"):
        supervised_contrastive_loss(ROWS, torch.tensor([0, 1]), 0.5)
    with pytest.raises(InvalidInputError, match="expected temperature as a number above 0, got 0"):
        graded_similarity_loss(ROWS, torch.zeros(3), 0.0)
