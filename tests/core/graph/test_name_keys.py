"""Keys of names: what each folds, and what it tells apart."""

from collections.abc import Callable

import pytest
from zeroshot_core.graph.names import case_key, label_key, name_key, singular_keys, stem_key, word_key


@pytest.mark.parametrize(
    ("key", "name", "folded"),
    [
        (case_key, " Heart\tATTACK ", "heart attack"),
        (case_key, "Straße, C++", "strasse, c++"),
        (word_key, "Heart-attack (acute)_", "heart attack acute"),
        (word_key, "?!", ""),
        (stem_key, "Ménière's Diseases", "meniere s disease"),
        (stem_key, "status of gases", "status of gase"),
        (name_key, "\u201cAcme\u201d ﬁrm.", "acme\u201d firm"),
        (name_key, ".NET", ".net"),
        (name_key, " '.' ", ""),
        (label_key, "locatedIn", "located_in"),
        (label_key, "LOCATED IN", "located_in"),
    ],
)
def test_a_key_folds_what_its_users_must_not_tell_apart(
    key: Callable[[str], str], name: str, folded: str
) -> None:
    assert key(name) == folded


@pytest.mark.parametrize(
    ("key", "singulars"),
    [
        ("bodies", ("body", "bodie")),
        ("boxes", ("boxe", "box")),
        ("fevers", ("fever",)),
        ("status", ()),
        ("gas", ()),
    ],
)
def test_singulars_are_guessed_likeliest_first(key: str, singulars: tuple[str, ...]) -> None:
    assert singular_keys(key) == singulars
