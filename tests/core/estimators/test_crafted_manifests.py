"""A manifest that a stranger wrote leads nowhere outside its folder; all else is told in a sentence."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from zeroshot_core import ArtifactError, ZeroShotError, ZeroShotRegressor, load_model
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.serving.loading import open_model

TEXTS = [f"{colour} {thing}" for colour in ("red", "green") for thing in ("wine", "soap", "socks", "tea")]
Y = [3.0, 9.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0]
TOKEN = "root:hunter2"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crafted") / "model"
    model = ZeroShotRegressor(HashEncoder(32), top_k=3).fit(TEXTS, Y)
    model.save(folder)
    model.close()
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "given" / "model"))


def manifest(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "model.json").read_text()))


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    entries = manifest(folder)
    change(entries)
    (folder / "model.json").write_text(json.dumps(entries))


def content(folder: Path) -> dict[str, bytes | None]:
    """All that a folder holds, but for the lock that Milvus Lite takes on what it opens."""
    return {
        str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.name not in ("LOCK", ".database-staging")
    }


class Listener:
    """A local port that notes what anyone sends to it."""

    def __init__(self) -> None:
        self.connections, self.received = 0, b""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.connections += 1
                connection.settimeout(0.5)
                try:
                    self.received += connection.recv(65536)
                except OSError:
                    continue

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


def test_a_server_that_only_the_folder_names_sees_neither_a_connection_nor_the_token(
    folder: Path, listener: Listener
) -> None:
    address = f"http://127.0.0.1:{listener.port}"
    rewrite(
        folder, lambda entries: entries["index"].update(uri=f"http://me:secret@127.0.0.1:{listener.port}")
    )

    for load in (load_model, ZeroShotRegressor.load, open_model):
        with pytest.raises(
            ArtifactError,
            match=rf"on a server that its folder alone names; give it as uri='{address}', or trust_uri",
        ):
            load(folder, token=TOKEN)
    with pytest.raises(ArtifactError, match="that its folder alone names"):
        load_model(folder, uri="", token=TOKEN)

    assert (listener.connections, listener.received) == (0, b"")


@pytest.mark.parametrize("allowed", [{"trust_uri": True}, {"uri": "named"}])
def test_a_server_that_the_caller_names_or_trusts_is_asked(
    folder: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch, allowed: dict[str, Any]
) -> None:
    monkeypatch.setattr("zeroshot_core.index.connection._TIMEOUT", 1.0)
    address = f"http://127.0.0.1:{listener.port}"
    rewrite(folder, lambda entries: entries["index"].update(uri=address))

    with pytest.raises(ZeroShotError, match=f"no Milvus answers at {address}"):
        load_model(folder, token=TOKEN, **({"uri": address} if "uri" in allowed else allowed))

    assert listener.connections


def test_a_server_of_the_folder_is_not_asked_where_the_caller_names_a_file(
    folder: Path, listener: Listener
) -> None:
    index = str(folder / manifest(folder)["index"]["uri"])
    rewrite(folder, lambda entries: entries["index"].update(uri=f"http://127.0.0.1:{listener.port}"))

    load_model(folder, uri=index, token=TOKEN).close()

    assert listener.connections == 0


def lead_out(folder: Path, name: str) -> Path:
    """Put what a manifest names beside the folder instead."""
    outside = folder.parent / "outside"
    (folder / name).rename(outside)
    return outside


def state_by_path(folder: Path) -> None:
    outside = lead_out(folder, manifest(folder)["state"])
    rewrite(folder, lambda entries: entries.update(state=str(outside)))


def state_above(folder: Path) -> None:
    lead_out(folder, manifest(folder)["state"])
    rewrite(folder, lambda entries: entries.update(state="../outside"))


def state_by_link(folder: Path) -> None:
    state = manifest(folder)["state"]
    (folder / state).symlink_to(lead_out(folder, state))


def file_by_link(folder: Path) -> None:
    state = folder / manifest(folder)["state"]
    (state / "config.json").rename(folder.parent / "outside")
    (state / "config.json").symlink_to(folder.parent / "outside")


def manifest_by_link(folder: Path) -> None:
    (folder / "model.json").symlink_to(lead_out(folder, "model.json"))


def index_by_link(folder: Path) -> None:
    index = manifest(folder)["index"]["uri"]
    (folder / index).symlink_to(lead_out(folder, index))


def index_file_by_link(folder: Path) -> None:
    index = folder / manifest(folder)["index"]["uri"]
    file = next(path for path in index.rglob("*") if path.name == "manifest.json")
    file.rename(folder.parent / "outside")
    file.symlink_to(folder.parent / "outside")


def index_above(folder: Path) -> None:
    lead_out(folder, manifest(folder)["index"]["uri"]).rename(folder.parent / "outside.db")
    rewrite(folder, lambda entries: entries["index"].update(uri="../outside.db"))


def index_made(folder: Path) -> None:
    made = folder.parent / "made" / "deep" / "index.db"
    rewrite(folder, lambda entries: entries["index"].update(uri=str(made)))


def encoder_by_path(folder: Path) -> None:
    rewrite(folder, lambda entries: entries["encoder"].update(inside=str(folder.parent)))


def encoder_above(folder: Path) -> None:
    rewrite(folder, lambda entries: entries["encoder"].update(inside=".."))


def encoder_by_link(folder: Path) -> None:
    rewrite(folder, lambda entries: entries["encoder"].update(inside="encoder-1"))
    (folder / "encoder-1").symlink_to(folder.parent)


def no_checksums(folder: Path) -> None:
    rewrite(folder, lambda entries: entries.update(checksums={}))


def one_checksum_less(folder: Path) -> None:
    (folder / manifest(folder)["state"] / "more.json").write_text("{}")


def checksum_of_a_file_above(folder: Path) -> None:
    rewrite(folder, lambda entries: entries["checksums"].update({"../model.json": "0"}))


@pytest.mark.parametrize(
    ("craft", "message"),
    [
        (state_by_path, "expected state as a bare name, got '/"),
        (state_above, "expected state as a bare name, got '../outside'"),
        (state_by_link, r"expected .*state-\w+ to be no link"),
        (file_by_link, r"expected .*config\.json to be no link|is a link"),
        (manifest_by_link, r"expected .*model\.json to be no link"),
        (index_by_link, r"expected .*index-\w+\.db to be no link"),
        (index_file_by_link, r"expected .*manifest\.json to be no link"),
        (
            index_above,
            "expected uri of the index as a file in the folder, a path or a server, got '../outside.db'",
        ),
        (index_made, r"expected .*made/deep/index\.db, which is missing"),
        (encoder_by_path, "expected inside of the encoder as a bare name, got '/"),
        (encoder_above, r"expected inside of the encoder as a bare name, got '\.\.'"),
        (encoder_by_link, r"expected .*encoder-1 to be no link"),
        (no_checksums, "expected files with a checksum as bare names, config.json among them, got"),
        (one_checksum_less, r"expected a checksum of each file in .*, got none of"),
        (checksum_of_a_file_above, "expected files with a checksum as bare names"),
    ],
)
def test_no_name_in_a_manifest_leads_out_of_its_folder(
    folder: Path, craft: Callable[[Path], None], message: str
) -> None:
    craft(folder)
    before = content(folder.parent)

    with pytest.raises(ArtifactError, match=message):
        load_model(folder)

    assert content(folder.parent) == before
    model = ZeroShotRegressor(HashEncoder(32), top_k=3).fit(TEXTS, Y)
    if craft not in (index_made, index_file_by_link):
        # What such a manifest names is not removed either: the folder is not replaced.
        with pytest.raises(ArtifactError):
            model.save(folder, overwrite=True)
        assert content(folder.parent) == before
    model.close()


GARBAGE: list[Any] = [
    None, True, False, -1, 0, 1.5, 10**40, float("nan"), "", "x", "\ud800", "a\x00b", "../..", "/", "~",
    [], {}, [[]], {"a": {}}, [1, "x"], {"\udfff": "\udfff"}, "9" * 5000,
]  # fmt: skip


@contextmanager
def mutated(folder: Path, dice: random.Random) -> Iterator[str]:
    """Change one to three entries at any depth of a manifest; what was changed."""
    path = folder / "model.json"
    before = path.read_text()
    entries, told = json.loads(before), []
    for _ in range(dice.randint(1, 3)):
        places = [(entries, key) for key in entries]
        places += [(part, key) for part in entries.values() if isinstance(part, dict) for key in part]
        parent, key = dice.choice(places)
        if dice.random() < 0.25:
            del parent[key]
            told.append(f"del {key}")
        else:
            parent[key] = dice.choice(GARBAGE)
            told.append(f"{key}={parent[key]!r}")
    path.write_text(json.dumps(entries))
    yield ", ".join(told)
    path.write_text(before)


def test_any_manifest_opens_or_is_refused_in_one_sentence(folder: Path) -> None:
    dice, refused, opened = random.Random(0), 0, 0
    inside = {path.name for path in folder.parent.rglob("*")} | {"LOCK"}
    for _ in range(150):
        with mutated(folder, dice) as told:
            try:
                load_model(folder).close()
            except ZeroShotError as error:
                refused += "\n" not in str(error)
            except Exception as error:
                pytest.fail(f"{told}: {type(error).__name__}: {error}")
            else:
                opened += 1
    assert refused + opened == 150
    assert refused > 100
    assert {path.name for path in folder.parent.rglob("*")} <= inside


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"format_version": ' + "9" * 10_000 + "}",
        '{"format_version": NaN}',
        "\ud800",
        "null",
        '"x"',
    ],
)
def test_what_is_no_manifest_is_refused_in_one_sentence(folder: Path, text: str) -> None:
    (folder / "model.json").write_bytes(text.encode("utf-8", "surrogatepass"))

    with pytest.raises(ArtifactError, match=r"model\.json( is damaged|: expected format version)"):
        load_model(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    config = folder / manifest(folder)["state"] / "config.json"
    config.unlink()
    os.mkfifo(config)

    with pytest.raises(ArtifactError, match=r"config\.json, which is missing"):
        load_model(folder)
