"""Files of any size become a version block by block, and are forecast so."""

import json
import sys

import numpy as np
import pytest
from typer.testing import CliRunner
from zeroshot_core import encoders
from zeroshot_core.cli.main import app
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.errors import InvalidInputError, UnknownConceptError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.index import ItemColumns, VectorIndex, item_stream
from zeroshot_core.index.connection import Connection
from zeroshot_core.prediction import ZeroShotRegressor
from zeroshot_core.serving.parquet_output import count_rows, parquet_file, parquet_folder, write_tables
from zeroshot_core.types import Concept, Item

pyarrow = pytest.importorskip("pyarrow")

ROWS = [
    {"id": f"00{n}", "text": f"thing {n % 30}", "kind": f"c{n % 3}", "price": n / 3 if n % 5 else None}
    for n in range(90)
]
COLUMNS = ItemColumns(concepts=("kind",))
GRAPH = KnowledgeGraph([Concept(id=f"c{n}", name=f"concept {n}") for n in range(3)])


class CountingEncoder(HashEncoder):
    def __init__(self):
        super().__init__(16)
        self.encoded = []

    def encode(self, contents, *, role="document", show_progress=False):
        self.encoded += contents
        return super().encode(contents, role=role)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(item_stream, "BLOCK_ROWS", 40)


@pytest.mark.parametrize("command", ["index", "predict"])
def test_ray_is_asked_for_by_its_extra(tmp_path, monkeypatch, command):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr(encoders, "load_encoder", lambda *_, **__: HashEncoder(16))
    monkeypatch.setattr(Connection, "is_lite", False)
    path = write_rows(tmp_path, ".parquet")
    where = {
        "index": ["--uri", str(tmp_path / "index.db")],
        "predict": ["--model", str(tmp_path), "--out", str(tmp_path / "out")],
    }[command]
    result = CliRunner().invoke(app, [command, "--engine", "ray", "--input", str(path), *where])
    assert result.exit_code == 1
    assert "ray is not installed; install it with: pip install 'zeroshot-milvus[ray]'" in result.stderr


@pytest.mark.parametrize("what", ["", "/rows.parquet", "/*.parquet", "/r?ws*"])
def test_urls_are_opened_by_arrow(tmp_path, what):
    write_rows(tmp_path, ".parquet")
    found = item_stream.find_files(f"file://{tmp_path}{what}")
    assert sum(block.num_rows for block in item_stream.read_blocks(found)) == len(ROWS)


def three_tables():
    return [pyarrow.table({"id": [number]}) for number in range(3)]


def broken_tables():
    yield from three_tables()
    raise ZeroDivisionError


def test_a_file_at_a_url_is_there_whole_or_not_at_all(tmp_path):
    out = f"file://{tmp_path}/out.parquet"
    with pytest.raises(ZeroDivisionError), parquet_file(out) as place:
        write_tables(broken_tables(), *place)
    assert list(tmp_path.iterdir()) == []
    with parquet_file(out) as place:
        assert write_tables(three_tables(), *place) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


def test_a_folder_at_a_url_is_new_and_what_fails_leaves_none(tmp_path):
    out = f"file://{tmp_path}/out"
    with pytest.raises(ZeroDivisionError), parquet_folder(out) as (filesystem, folder):
        write_tables(broken_tables(), filesystem, f"{folder}/a.parquet")
    assert list(tmp_path.iterdir()) == []
    with parquet_folder(out) as (filesystem, folder):
        for name in ("a", "b"):
            write_tables(three_tables(), filesystem, f"{folder}/{name}.parquet")
        assert count_rows(filesystem, folder) == 6
    with pytest.raises(InvalidInputError, match="expected a new or empty folder, got 'file://"):
        parquet_folder(out).__enter__()


def write_rows(folder, suffix, rows=ROWS):
    import pyarrow
    import pyarrow.csv
    import pyarrow.parquet

    path, table = folder / f"rows{suffix}", pyarrow.Table.from_pylist(rows)
    if suffix == ".parquet":
        pyarrow.parquet.write_table(table, path)
    elif suffix == ".csv":
        pyarrow.csv.write_csv(table, path)
    else:
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def items_of(rows):
    return [
        Item(
            id=row["id"],
            text=row["text"],
            concepts=(row["kind"],),
            metadata={} if row["price"] is None else {"price": row["price"]},
        )
        for row in rows
    ]


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv"])
def test_every_format_makes_the_same_items(tmp_path, suffix):
    encoder = CountingEncoder()
    write_rows(tmp_path, suffix)
    with VectorIndex.connect(tmp_path / "index.db") as index:
        version = index.build_from(f"{tmp_path}/*{suffix}", encoder, GRAPH, columns=COLUMNS)
        index.activate(version)
        opened = index.open(fingerprint=encoder.fingerprint)
        assert opened.items(opened.all_ids()) == sorted(items_of(ROWS), key=lambda item: item.id)
        # Each text once a block of forty rows, beside the names of the concepts.
        assert len([text for text in encoder.encoded if text.startswith("thing")]) == 30 + 30 + 10
        index.export(tmp_path / "out", version)
        index.drop(version)
        assert index.import_version(tmp_path / "out") == version


def test_a_build_that_was_killed_goes_on_with_what_is_missing(tmp_path, monkeypatch):
    encoder, path = CountingEncoder(), write_rows(tmp_path, ".parquet")
    with VectorIndex.connect(tmp_path / "index.db") as index:
        whole, written = item_stream.write_block, []

        def dying(*given, **options):
            written.append(whole(*given, **options))
            if len(written) == 2:
                raise KeyboardInterrupt
            return written[-1]

        monkeypatch.setattr(item_stream, "write_block", dying)
        with pytest.raises(KeyboardInterrupt):
            index.build_from(path, encoder, columns=COLUMNS)
        encoder.encoded.clear()
        version = index.build_from(path, encoder, columns=COLUMNS)
        assert len(encoder.encoded) == 10
        index.activate(version)
        opened = index.open(fingerprint=encoder.fingerprint)
        ids = [row["id"] for row in ROWS]
        np.testing.assert_array_equal(
            opened.item_vectors(ids), HashEncoder(16).encode([row["text"] for row in ROWS])
        )


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([{"id": "a", "name": "b"}], InvalidInputError, "expected columns 'id' and 'text', got id, name;"),
        ([{"id": 1.5, "text": "b"}], InvalidInputError, "expected an id that is a text or a whole number"),
        ([{"id": "a", "text": None}, {"id": "b", "text": "c"}], InvalidInputError, "and a text, got 'a'"),
        ([{"id": "a", "text": "b", "kind": "c9"}], UnknownConceptError, "unknown: 'c9' of item 'a'"),
        ([{"id": "a", "text": "b"}] * 2, InvalidInputError, "expected unique item ids, got 1 twice"),
    ],
)
def test_rows_that_make_no_items_are_refused_before_anything_is_written(tmp_path, rows, error, message):
    path = write_rows(tmp_path, ".parquet", rows)
    with VectorIndex.connect(tmp_path / "index.db") as index:
        with pytest.raises(error, match=message):
            index.build_from(path, HashEncoder(16), GRAPH, columns=COLUMNS)
        assert index.versions() == []


def test_ids_that_come_twice_in_different_blocks_are_found_by_counting(tmp_path):
    path = write_rows(tmp_path, ".parquet", [*ROWS, {**ROWS[0], "text": "other"}])
    with VectorIndex.connect(tmp_path / "index.db") as index:
        with pytest.raises(InvalidInputError, match="expected unique item ids, got 90 in 91 rows"):
            index.build_from(path, HashEncoder(16), GRAPH, columns=COLUMNS)
        assert index.live is None


def test_no_files_and_strange_files_are_refused(tmp_path):
    (tmp_path / "rows.parquet").write_bytes(b"nothing")
    (tmp_path / "rows.txt").write_bytes(b"nothing")
    with VectorIndex.connect(tmp_path / "index.db") as index:
        for given, message in [
            (tmp_path / "none*.parquet", "got none"),
            (tmp_path / "rows.txt", "got rows.txt"),
            (tmp_path / "rows.parquet", "got one that is not"),
        ]:
            with pytest.raises(InvalidInputError, match=message):
                index.build_from(given, HashEncoder(16))


def test_the_commands_index_and_forecast_files(tmp_path, monkeypatch):
    import pyarrow.parquet

    monkeypatch.setattr(encoders, "load_encoder", lambda *_, **__: HashEncoder(16))
    path = write_rows(tmp_path, ".parquet")
    words = ["index", "--input", str(path), "--uri", str(tmp_path / "index.db"), "--concepts", "kind"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.stderr
    assert "90 items are live as version" in result.stderr

    model = ZeroShotRegressor(HashEncoder(16)).fit([f"thing {n}" for n in range(40)], list(range(40)))
    model.save(tmp_path / "model")
    out = tmp_path / "out.parquet"
    words = ["predict", "--model", str(tmp_path / "model"), "--input", str(path), "--out", str(out)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.stderr
    told = pyarrow.parquet.read_table(out)
    assert told.column("id").to_pylist() == [row["id"] for row in ROWS]
    expected = model.predict([row["text"] for row in ROWS[:40]])
    np.testing.assert_allclose(told.column("expected").to_pylist()[:40], expected)
    model.close()

    result = CliRunner().invoke(app, [*words[:-1], str(tmp_path / "out.csv")])
    assert result.exit_code == 2
    assert ".parquet" in result.output + result.stderr
