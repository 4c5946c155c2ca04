"""Snapshots that a server takes of the live version before another one goes live."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from milvus_lite.adapter.grpc import server as lite_server
from milvus_lite.adapter.grpc.servicer import MilvusServicer
from pymilvus.grpc_gen import common_pb2, milvus_pb2
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.index import VectorIndex
from zeroshot_core.types import Item

ENCODER = HashEncoder(16)
DONE = common_pb2.Status()
KINDS = ["concepts", "items", "names", "relations"]


class Snapshots(MilvusServicer):
    """Milvus Lite behind the calls for snapshots that a server of 3.0 has beside those of before."""

    kept: ClassVar[dict[tuple[str, str], int]]
    refused: ClassVar[str]

    def CreateIndex(self, request, context):  # noqa: N802
        """Choose a type where none is named, as a server does."""
        if not any(each.key == "index_type" and each.value for each in request.extra_params):
            request.extra_params.add(key="index_type", value="INVERTED")
        return super().CreateIndex(request, context)

    def CreateSnapshot(self, request, context):  # noqa: N802
        if request.collection_name.endswith(self.refused):
            return common_pb2.Status(code=65535, reason="disk full")
        self.kept[request.collection_name, request.name] = len(self.kept)
        return DONE

    def DropSnapshot(self, request, context):  # noqa: N802
        if self.kept.pop((request.collection_name, request.name), None) is None:
            return common_pb2.Status(code=65535, reason="snapshot not found")
        return DONE

    def ListSnapshots(self, request, context):  # noqa: N802
        return milvus_pb2.ListSnapshotsResponse(status=DONE, snapshots=[name for _, name in self.kept])


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, type[Snapshots]]]:
    """Address of a server that takes snapshots, and what it keeps."""

    class Kept(Snapshots):
        kept: ClassVar[dict[tuple[str, str], int]] = {}
        refused: ClassVar[str] = " "

    monkeypatch.setattr(lite_server, "MilvusServicer", Kept)
    running, db, port = lite_server.start_server_in_thread(str(tmp_path / "behind.db"))
    yield f"http://127.0.0.1:{port}", Kept
    running.stop(0).wait()
    db.close()


def published(index: VectorIndex, text: str) -> str:
    version = index.build([Item(id="a", text=text), Item(id="b", text="milk")], ENCODER)
    index.activate(version)
    return version


def snapshots_of(kept: dict[tuple[str, str], int], version: str) -> list[tuple[str, str]]:
    return sorted((name.rsplit("_", 1)[1], snapshot) for name, snapshot in kept if version in name)


def test_the_version_that_was_live_is_kept_in_snapshots_that_go_with_it(server) -> None:
    address, has = server
    with VectorIndex.connect(address) as index:
        first = published(index, "wine")
        assert has.kept == {}
        second = published(index, "beer")
        told = {info.id: info.snapshot for info in index.versions()}
        assert told[second] is None
        assert snapshots_of(has.kept, first) == [(kind, told[first]) for kind in KINDS]

        index.activate(first)
        index.activate(second)
        anew = next(info for info in index.versions() if info.id == first)
        assert anew.state == "ready"
        assert anew.snapshot != told[first]
        assert snapshots_of(has.kept, first) == [(kind, anew.snapshot) for kind in KINDS]

        index.drop(first)
        assert snapshots_of(has.kept, first) == []
        assert len(snapshots_of(has.kept, second)) == len(KINDS)


def test_a_snapshot_that_fails_is_warned_of_and_the_version_goes_live(server) -> None:
    address, has = server
    with VectorIndex.connect(address) as index:
        first = published(index, "wine")
        has.refused = "_items"
        with pytest.warns(UserWarning, match=f"no snapshot of version {first} .* disk full"):
            second = published(index, "beer")

        assert index.live is not None
        assert index.live.id == second
        assert has.kept == {}
        assert [info.snapshot for info in index.versions()] == [None, None]


def test_milvus_without_snapshots_swaps_aliases_without_a_word(
    uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    with VectorIndex.connect(uri, name="unsnapped") as index:
        first, second = published(index, "wine"), published(index, "beer")

        assert not index._connection.takes_snapshots
        told = [(info.id, info.snapshot) for info in index.versions()]
        assert told == [(second, None), (first, None)]
        for version in (first, second):
            index.drop(version)
    assert caplog.text == ""
