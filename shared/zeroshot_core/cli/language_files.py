"""Texts in several languages in files: lines side by side, tables, JSON lines a locale."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from zeroshot_core.checks import listed, warn
from zeroshot_core.cli.delimited_text import decoded
from zeroshot_core.cli.tables import TextTable, read_bytes, read_table
from zeroshot_core.encoders.text_languages import language_code
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.evaluation.multilingual_texts import MultilingualText

__all__ = ["read_language_files"]

_TABLES = {".csv", ".tsv", ".tab", ".json", ".jsonl", ".ndjson", ".parquet", ".xlsx"}
_PASSED_OVER = {"", ".md", ".py", ".pdf", ".html", ".zip", ".tar", ".yml", ".yaml", ".toml", ".png", ".jpg"}
# Names of columns, the likeliest first.
_TEXT = (
    "utt",
    "utterance",
    "text",
    "sentence",
    "query",
    "question",
    "content",
    "review_body",
    "name",
    "title",
)
_LABEL = ("label_text", "intent", "label", "category", "class", "topic", "sentiment", "stars", "scenario")
_LANGUAGE = ("language", "lang", "locale", "language_code")
_SPLIT = ("partition", "split", "set")
_ID = ("id", "_id", "sentence_id", "index_id", "key", "meaning")
_SIDES = (
    ("sentence1", "sentence2"),
    ("source", "target"),
    ("src", "tgt"),
    ("src", "trg"),
    ("text1", "text2"),
)
_BESIDE = {"text", "sentence", "utt", "utterance", "name", "label", "lang", "language"}
_PAIR = re.compile(
    r"(?:^|[._/])([a-z]{2,3}(?:_[A-Z][a-z]{3})?)[-_]([a-z]{2,3}(?:_[A-Z][a-z]{3})?)(?=[._/]|$)"
)
_TRAINING, _ASKED = (
    re.compile(r"\btrain(?:ing)?\b", re.I),
    re.compile(r"\b(?:test|devtest|dev|valid(?:ation)?)\b", re.I),
)


def read_language_files(path: Path) -> list[MultilingualText]:
    """Read a file, or all files of a folder and of those in it.

    Files of lines are read side by side, where their names differ in the language alone
    (``tatoeba.deu-eng.deu`` and ``tatoeba.deu-eng.eng``, ``de.txt`` and ``en.txt``, ``deu_Latn.devtest``).
    Tables are CSV, TSV, JSON lines or arrays, Parquet and Excel: with a column of texts for each language; or
    with columns of text and language, of which the name of the file or folder may be one (``de-DE.jsonl``),
    beside a label, an id that translations share, and a split; or with two columns of texts and a pair of
    languages such as ``deu-eng`` in a column or in the name.

    Raises
    ------
    InvalidInputError
        If nothing is there, or a table or what lies side by side is not understood.

    Warns
    -----
    UserWarning
        If other files are there, which are left out.
    """
    if not path.exists():
        raise InvalidInputError(f"expected a file or folder, got {path}, which is missing; mend the path")
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if _is_read(file, path))
    texts: list[MultilingualText] = []
    lines: dict[tuple[str, str], dict[str, Path]] = {}
    left_out: list[Path] = []
    for file in files:
        suffix = Path(file.name.removesuffix(".gz")).suffix.lower()
        beside = None if suffix in _TABLES else _line_file(file)
        if beside is not None:
            lines.setdefault(beside[1:], {})[beside[0]] = file
        elif suffix in _TABLES or suffix == ".txt":
            texts += _of_table(read_table(file), file, path)
        else:
            left_out.append(file)
    for key, files_of in lines.items():
        texts += _of_lines(key, files_of, path)
    if not texts:
        raise InvalidInputError(
            f"expected files of texts in {path}, got none that is understood; give tables with a column of "
            "texts for each language or with text and language, or files of lines named by language"
        )
    if left_out:
        warn(
            f"files that are neither tables nor lines of a language are left out: "
            f"{listed(str(file.relative_to(path)) for file in left_out)}"
        )
    return texts


def _is_read(file: Path, folder: Path) -> bool:
    hidden = any(part.startswith((".", "_")) for part in file.relative_to(folder).parts)
    return (
        file.is_file()
        and not hidden
        and file.suffix.lower() not in _PASSED_OVER
        and "readme" not in file.name.lower()
    )


def _line_file(file: Path) -> tuple[str, str, str] | None:
    """Language of a file of lines, and what those beside it share: folder, and name without the language."""
    name = file.name.removesuffix(".gz").removesuffix(".txt")
    stem, _, end = name.rpartition(".")
    pair = _PAIR.search(stem)
    if stem and (language_code(end) or (pair and end in pair.groups())):
        return end, str(file.parent), stem
    if language_code(stem or name):
        return stem or name, str(file.parent), f"*.{end if stem else 'txt'}"
    return None


def _of_lines(key: tuple[str, str], files: Mapping[str, Path], folder: Path) -> list[MultilingualText]:
    read = {
        language: decoded(read_bytes(file, str(file)), None)[0].removesuffix("\n").split("\n")
        for language, file in files.items()
    }
    sizes = {str(files[language]): len(lines) for language, lines in read.items()}
    if len(set(sizes.values())) > 1:
        told = ", ".join(f"{n:,} in {name}" for name, n in sizes.items())
        raise InvalidInputError(
            f"expected as many lines in files that lie side by side, got {told}; mend them"
        )
    return [
        MultilingualText(
            language=language,
            text=line.strip(),
            meaning=(key, row),
            is_training=_split("", files[language], folder),
        )
        for language, lines in read.items()
        for row, line in enumerate(lines)
        if line.strip()
    ]


def _of_table(table: TextTable, file: Path, folder: Path) -> list[MultilingualText]:
    names = {column.lower(): column for column in table.columns}
    languages = _language_columns(table)
    label, split, id_ = (_first(names, known) for known in (_LABEL, _SPLIT, _ID))
    if len(languages) > 1:
        return list(_of_wide(table, languages, label, split, file, folder))
    sides = next(([names[a], names[b]] for a, b in _SIDES if a in names and b in names), None)
    language = _first(names, _LANGUAGE)
    pair = _PAIR.search(_place(file, folder))
    if sides is not None and (language or pair):
        rows = ((row[language] if language else "", [row[side] for side in sides]) for row in table.rows)
        return list(_of_pairs(rows, pair and pair.groups(), file))
    others = [column for column in table.columns if column not in {language, label, split, id_}]
    text = _first(names, _TEXT) or (others[0] if len(others) == 1 else None)
    own = _path_language(file, folder)
    if text is not None and (language or own):
        shared = _without(own, _place(file, folder))
        return [
            MultilingualText(
                language=row[language] if language else str(own),
                text=row[text],
                meaning=(shared, is_training, row[id_]) if id_ else None,
                label=(row[label] or None) if label else None,
                is_training=is_training,
            )
            for row in table.rows
            if row[text] and (own if not language else row[language])
            for is_training in [_split(row[split] if split else "", file, folder)]
        ]
    if pair and len(table.columns) >= 2:
        # Without a header: its first row is the first pair.
        two = table.columns[:2]
        return list(
            _of_pairs(
                [("", [*two]), *(("", [row[side] for side in two]) for row in table.rows)],
                pair.groups(),
                file,
            )
        )
    raise InvalidInputError(
        f"{table.name}: expected a column of texts for each language, or columns of text and language, or "
        f"two of texts and a pair such as deu-eng in the name, got {listed(table.columns)}; name them so"
    )


def _of_wide(
    table: TextTable,
    languages: Mapping[str, str],
    label: str | None,
    split: str | None,
    file: Path,
    folder: Path,
) -> Iterator[MultilingualText]:
    for number, row in enumerate(table.rows):
        for language, column in languages.items():
            if row[column]:
                yield MultilingualText(
                    language=language,
                    text=row[column],
                    meaning=(str(file), number),
                    label=(row[label] or None) if label else None,
                    is_training=_split(row[split] if split else "", file, folder),
                )


def _of_pairs(
    rows: Iterator[tuple[str, list[str]]] | Sequence[tuple[str, list[str]]],
    named: Sequence[str] | None,
    file: Path,
) -> Iterator[MultilingualText]:
    """Two texts a row, in the languages that the row says, or else all rows."""
    for number, (said, two) in enumerate(rows):
        found = _PAIR.fullmatch(said)
        codes = found.groups() if found else named
        if codes is None:
            raise InvalidInputError(
                f"{file}: expected languages such as deu-eng, got {said!r} in row {number + 1}"
            )
        for code, text in zip(codes, two, strict=True):
            if text.strip():
                yield MultilingualText(language=code, text=text.strip(), meaning=(str(file), number))


def _language_columns(table: TextTable) -> dict[str, str]:
    """Columns that are named by a language, with or without a word such as text beside it."""
    found = {}
    for column in table.columns:
        words = [word for word in re.split(r"[\s.:]+|(?<=[a-z])_(?=[a-z])", column.strip()) if word]
        rest = [word for word in words if word.lower() not in _BESIDE]
        code = rest[0] if len(rest) == 1 else column.strip()
        if language_code(code) and (column.lower() != "id" or any(" " in row[column] for row in table.rows)):
            found[code] = column
    return found


def _first(names: Mapping[str, str], known: Sequence[str]) -> str | None:
    return next((names[name] for name in known if name in names), None)


def _place(file: Path, folder: Path) -> str:
    """Where a file lies below the folder, without its endings."""
    relative = file.relative_to(folder) if file != folder else Path(file.name)
    name = relative.name.removesuffix(".gz")
    return (relative.parent / name.removesuffix(Path(name).suffix)).as_posix()


def _path_language(file: Path, folder: Path) -> str | None:
    """Language that the name of a file or of its folder says."""
    *parents, stem = _place(file, folder).split("/")
    if language_code(stem):
        return stem
    words = [word for word in re.split(r"[._\-]", stem) if word]
    ends = [words[-1]] + ([words[0]] if all(_is_split(word) for word in words[1:]) else [])
    return next((word for word in [*ends, *reversed(parents)] if language_code(word)), None)


def _without(language: str | None, place: str) -> str:
    """Leave the language out of the place of a file, so that translations share the rest."""
    return (
        place if language is None else re.sub(rf"(?<![A-Za-z]){re.escape(language)}(?![A-Za-z])", "", place)
    )


def _is_split(word: str) -> bool:
    return bool(_TRAINING.fullmatch(word) or _ASKED.fullmatch(word))


def _split(said: str, file: Path, folder: Path) -> bool | None:
    """Whether a text is there to learn from, by its row or by its file; None where neither says."""
    for words in (said, re.sub(r"[_\-]", " ", _place(file, folder))):
        if _TRAINING.search(words):
            return True
        if _ASKED.search(words):
            return False
    return None
