"""A short part of the campaign of docs/stability.md: what it looks for is not there."""

import pytest

from scripts.stability import concurrency, fuzz, injection, kills, leaks, soak
from scripts.stability.outcome import CampaignOutcome, Tally, markdown


def assert_holds(outcome):
    assert outcome.holds, "\n".join(outcome.failures)


@pytest.mark.parametrize(
    ("part", "n"),
    [
        (injection, 10),
        (concurrency, 16),
        pytest.param(leaks, 4, marks=pytest.mark.slow),
        pytest.param(soak, 1, marks=pytest.mark.slow),
    ],
    ids=lambda value: getattr(value, "__name__", "").rpartition(".")[2],
)
def test_a_short_run_finds_nothing(part, n, tmp_path):
    outcome = part.run(n, folder=tmp_path)

    assert_holds(outcome)
    assert outcome.n >= n


def test_generated_input_is_answered_or_refused(tmp_path, monkeypatch):
    # The other families take seconds before their first case.
    monkeypatch.setattr(fuzz, "FAMILIES", {"graphs": 0.5, "filters": 0.5})
    outcome = fuzz.run(40, folder=tmp_path)

    assert_holds(outcome)
    assert outcome.n > 30


def test_a_kill_of_an_upsert_loses_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(kills, "OPERATIONS", (kills.Upsert,))

    assert_holds(kills.run(1, folder=tmp_path))


def test_what_must_not_be_is_counted(capsys):
    tally = Tally("part", "Lite", 3)
    with tally.guarded("a call"):
        raise KeyError("x")
    with tally.guarded("a slow call", seconds=0.01):
        while True:
            pass
    tally.fail("lost", "two rows", 2)
    tally.advance(3)
    outcome = tally.outcome()

    assert (outcome.n, outcome.raw, outcome.hangs, outcome.lost, outcome.wrong) == (3, 1, 1, 2, 0)
    assert not outcome.holds
    assert "KeyError" in outcome.failures[0]
    assert "two rows" in capsys.readouterr().err


def test_results_are_a_table_of_markdown():
    outcome = CampaignOutcome(part="kills", target="Lite", n=1200, seconds=90)

    assert markdown([outcome]).splitlines()[2] == "| kills | Lite | 1,200 | 0 | 0 | 0 | 0 | 0 | 0 | 1.5 |"
