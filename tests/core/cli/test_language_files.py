"""`zeroshot evaluate languages --data`: the layouts in which data of several languages come."""

import gzip
import json

import pytest
from typer.testing import CliRunner
from zeroshot_core.cli.language_files import read_language_files
from zeroshot_core.cli.main import app
from zeroshot_core.encoders.text_languages import language_code
from zeroshot_core.errors import InvalidInputError

PAIRS = {
    "the dog sleeps": "der Hund schläft",
    "a red car": "ein rotes Auto",
    "I drink coffee": "ich trinke Kaffee",
    "the train is late": "der Zug ist verspätet",
    "snow in winter": "Schnee im Winter",
    "my sister sings": "meine Schwester singt",
}
ENGLISH, GERMAN = list(PAIRS), list(PAIRS.values())
LABELS = ["animal", "vehicle", "drink", "vehicle", "weather", "music"]


def lines(path, texts):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")


def rows(path, given):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in given), encoding="utf-8")


def tatoeba(folder):
    lines(folder / "tatoeba.deu-eng.deu", GERMAN)
    lines(folder / "tatoeba.deu-eng.eng", ENGLISH)
    (folder / "README.md").write_text("of Tatoeba")


def two_corpora_within_gzip(folder):
    for corpus, part in (("a", slice(0, 3)), ("b", slice(3, 6))):
        for code, texts in (("de", GERMAN), ("en", ENGLISH)):
            body = "".join(f"{text}\n" for text in texts[part])
            (folder / f"{corpus}.de-en.{code}.gz").write_bytes(gzip.compress(body.encode()))


def sib(folder):
    for code, texts in (("eng_Latn", ENGLISH), ("deu_Latn", GERMAN)):
        body = [f"{i}\t{label}\t{text}" for i, (text, label) in enumerate(zip(texts, LABELS, strict=True))]
        lines(folder / "annotated" / code / "train.tsv", ["index_id\tcategory\twords", *body])


def flores(folder):
    lines(folder / "dev" / "deu_Latn.dev", GERMAN)
    lines(folder / "dev" / "eng_Latn.dev", ENGLISH)


def moses(folder):
    lines(folder / "de.txt", GERMAN)
    lines(folder / "en.txt", ENGLISH)


def massive(folder):
    for locale, texts in (("en-US", ENGLISH), ("de-DE", GERMAN)):
        rows(
            folder / f"{locale}.jsonl",
            [
                {"id": str(i), "locale": locale, "partition": "test", "intent": label, "utt": text}
                for i, (text, label) in enumerate(zip(texts, LABELS, strict=True))
            ],
        )


def massive_without_locales(folder):
    for locale, texts in (("en-US", ENGLISH), ("de-DE", GERMAN)):
        rows(folder / "1.0" / f"{locale}.jsonl", [{"id": i, "utt": text} for i, text in enumerate(texts)])


def mteb(folder):
    given = zip(GERMAN, ENGLISH, strict=True)
    rows(folder / "test.jsonl", [{"sentence1": a, "sentence2": b, "lang": "deu-eng"} for a, b in given])


def mteb_by_name(folder):
    given = [{"sentence1": a, "sentence2": b} for a, b in zip(GERMAN, ENGLISH, strict=True)]
    packed = gzip.compress("".join(json.dumps(row) + "\n" for row in given).encode())
    (folder / "deu-eng.jsonl.gz").write_bytes(packed)


def columns(folder):
    lines(folder / "all.csv", ["en,de,label", *(f"{a},{b},x" for a, b in PAIRS.items())])


def named_columns(folder):
    lines(folder / "all.tsv", ["id\tEnglish\ttext_de", *(f"7\t{a}\t{b}" for a, b in PAIRS.items())])


def without_header(folder):
    lines(folder / "deu-eng.tsv", [f"{b}\t{a}" for a, b in PAIRS.items()])


def by_id(folder):
    both = (("eng", ENGLISH), ("deu", GERMAN))
    body = [f"{i},{code},{text}" for code, texts in both for i, text in enumerate(texts)]
    lines(folder / "sentences.csv", ["id,lang,text", *body])


@pytest.mark.parametrize(
    "write",
    [
        tatoeba,
        two_corpora_within_gzip,
        sib,
        flores,
        moses,
        massive,
        massive_without_locales,
        mteb,
        mteb_by_name,
        columns,
        named_columns,
        without_header,
        by_id,
    ],
)
def test_translations_are_found_in_the_layouts_in_which_they_come(write, tmp_path):
    write(tmp_path)
    meanings = {}
    for text in read_language_files(tmp_path):
        meanings.setdefault(text.meaning, {})[language_code(text.language)[:2]] = text.text
    assert {pair["en"]: pair["de"] for pair in meanings.values()} == PAIRS


def test_labels_and_splits_are_read_from_columns_and_from_names(tmp_path):
    massive(tmp_path / "massive")
    assert {text.is_training for text in read_language_files(tmp_path / "massive")} == {False}
    lines(tmp_path / "reviews" / "de" / "train.csv", ["text,stars", *(f"{text},3" for text in GERMAN)])
    lines(tmp_path / "reviews" / "test_en.csv", ["text,stars", *(f"{text},4" for text in ENGLISH)])
    read = {
        (each.language, each.label, each.is_training, each.meaning)
        for each in read_language_files(tmp_path / "reviews")
    }
    assert read == {("de", "3", True, None), ("en", "4", False, None)}


def test_what_is_not_understood_is_told_in_one_sentence(tmp_path):
    with pytest.raises(InvalidInputError, match=r"expected a file or folder, got .*, which is missing"):
        read_language_files(tmp_path / "nowhere")
    with pytest.raises(
        InvalidInputError, match=r"expected files of texts in .*, got none that is understood"
    ):
        read_language_files(tmp_path)
    lines(tmp_path / "a" / "x.csv", ["price,place", "1,2"])
    with pytest.raises(
        InvalidInputError, match=r"x\.csv: expected a column of texts for each language, .*, got"
    ):
        read_language_files(tmp_path / "a")
    lines(tmp_path / "b" / "t.de-en.de", GERMAN)
    lines(tmp_path / "b" / "t.de-en.en", ENGLISH[:-1])
    with pytest.raises(InvalidInputError, match=r"expected as many lines .*, got 6 in .*, 5 in "):
        read_language_files(tmp_path / "b")


def test_files_that_are_left_out_are_named_in_one_warning(tmp_path):
    massive(tmp_path)
    for name in ("notes.log", "model.gguf", "README.md"):
        (tmp_path / name).write_text("of another kind\n")
    with pytest.warns(UserWarning, match=r"are left out: model\.gguf, notes\.log$") as told:
        read_language_files(tmp_path)
    assert len(told) == 1


def test_warnings_of_the_command_are_notes(tmp_path):
    massive(tmp_path)
    (tmp_path / "model.gguf").write_text("weights\n")
    words = [
        "evaluate",
        "languages",
        "--data",
        str(tmp_path),
        "--encoder",
        "all-MiniLM-L6-v2",
        "--baseline",
        "",
    ]
    told = " ".join(CliRunner().invoke(app, words).stderr.split())
    assert "note: files that are neither tables nor lines of a language are left out: model.gguf" in told
    assert "note: these texts" in told
    assert "UserWarning" not in told


def test_the_command_measures_translations_and_labels_beside_a_baseline(tmp_path):
    massive(tmp_path)
    words = ["evaluate", "languages", "--data", str(tmp_path), "--cache", str(tmp_path / "cache.db")]
    table = CliRunner().invoke(app, words)
    assert table.exit_code == 0, table.output
    assert "-> en-US" in table.stdout
    assert "all-MiniLM-L6-v2" in table.stdout
    printed = CliRunner().invoke(app, [*words, "--json", "--baseline", ""])
    report = json.loads(printed.stdout)
    assert report["means"]["into"]["at_1"] == report["means"]["back"]["at_1"] == 1.0
    assert (report["n_pairs"], report["pivot"], report["baseline"]) == ({"de-DE": 3}, "en-US", None)
    assert report["n_labels"] > 1
    for more, told in (
        (["--languages", "en-US,fr-FR"], "got fr-FR; mend it"),
        (["--live"], "expected no --live with --data"),
    ):
        refused = CliRunner().invoke(app, [*words, *more])
        assert told in " ".join(refused.output.split())
