import pytest
from zeroshot_core.index.schema import TEXT_BYTES
from zeroshot_core.index.word_text import word_text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("SKU 4711-B", "sku 4711 b 4711b"),
        ("a_b, C/D.", "a b ab c d cd"),
        ("red wine", "red wine"),
        ("红葡萄酒 12", "红葡 葡萄 萄酒 12"),
        ("酒", "酒"),
        ("?! -- _", ""),
        ("Größe", "größe"),
    ],
)
def test_codes_are_words_and_stretches_without_spaces_pairs(text, words):
    assert word_text(text) == words


def test_as_many_words_are_kept_as_a_field_holds():
    kept = word_text("größe " * 20_000)
    assert len(kept.encode()) <= TEXT_BYTES
    assert set(kept.split()) <= {"größe", "größ", "grö", "gr", "g"}
