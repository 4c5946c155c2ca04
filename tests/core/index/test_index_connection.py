import contextlib
import os
import socket
import subprocess
import sys
import time
from concurrent import futures

import grpc
import pytest
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.errors import (
    ConnectionFailedError,
    IndexLockedError,
    InvalidInputError,
    VectorIndexError,
)
from zeroshot_core.index import VectorIndex
from zeroshot_core.index.connection import Connection, begin_each
from zeroshot_core.types import Item

OPEN = """
import sys
from zeroshot_core.index import VectorIndex
with VectorIndex.connect(sys.argv[1]) as index:
    print("open", flush=True)
    sys.stdin.read()
"""


IDLE = """
import sys, time
from zeroshot_core.index import VectorIndex
with VectorIndex.connect(sys.argv[1]) as index:
    for _ in range(4):
        index.versions()
        time.sleep(29)
    index.versions()
"""


def open_elsewhere(uri):
    """A second process that holds the file until its standard input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", OPEN, uri],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_file_that_another_process_holds_is_locked_until_it_closes(tmp_path):
    uri = str(tmp_path / "shared.db")
    with open_elsewhere(uri) as other:
        assert other.stdout.readline() == "open\n"
        with pytest.raises(
            IndexLockedError, match=r"another process holds the Milvus Lite file .*shared.db.*server"
        ):
            VectorIndex.connect(uri)
        other.communicate("")
    VectorIndex.connect(uri).close()


def test_close_frees_the_file_for_another_process(tmp_path):
    uri = str(tmp_path / "shared.db")
    first, second = VectorIndex.connect(uri), VectorIndex.connect(uri)
    first.close()
    first.close()
    assert second.versions() == []
    with open_elsewhere(uri) as other:
        assert "IndexLockedError" in other.communicate("")[1]
    second.close()
    with open_elsewhere(uri) as other:
        assert other.communicate("")[0] == "open\n"


@pytest.mark.slow
def test_a_file_that_nobody_asks_for_minutes_stays_connected_without_a_word(tmp_path):
    command = [sys.executable, "-c", IDLE, str(tmp_path / "a.db")]
    idle = subprocess.run(command, capture_output=True, text=True, timeout=200, check=True)
    assert "too_many_pings" not in idle.stderr


def test_closed_index_says_so(tmp_path):
    index = VectorIndex.connect(str(tmp_path / "a.db"))
    index.close()
    with pytest.raises(VectorIndexError, match="expected an open index, got one that is closed"):
        index.versions()


def test_parent_folder_of_a_local_file_is_made(tmp_path):
    with VectorIndex.connect(str(tmp_path / "new" / "folder" / "a.db")) as index:
        assert index.live is None


@pytest.mark.parametrize("database", [None, "side"])
def test_build_goes_on_where_a_kill_left_half_a_collection(tmp_path, database):
    uri = str(tmp_path / "a.db")
    encoder, items = HashEncoder(16), [Item(id="a", text="b")]
    with VectorIndex.connect(uri):
        if database:
            with contextlib.closing(MilvusClient(uri)) as client:
                client.create_database(database)
        with VectorIndex.connect(uri, db_name=database) as index:
            version = index.build(items, encoder)
            index.drop(version)
            root = tmp_path / "a.db" / (f"databases/{database}" if database else "")
            for kind in ("items", "concepts"):
                folder = root / "collections" / f"zeroshot_{version}_{kind}"
                folder.mkdir(parents=True)
                (folder / "schema.json.tmp").write_text("{")
            index.activate(index.build(items, encoder))
            assert index.open(fingerprint=encoder.fingerprint).items(["a"]) == items


def test_file_of_milvus_lite_2_is_refused(tmp_path):
    old = tmp_path / "old.db"
    old.write_bytes(b"SQLite format 3\0")
    with pytest.raises(
        InvalidInputError, match=r"expected .*old.db to be a Milvus Lite 3 folder, got a file"
    ):
        VectorIndex.connect(str(old))
    assert old.read_bytes() == b"SQLite format 3\0"


@pytest.mark.parametrize("uri", ["index.sqlite", "ftp://host:1", ""])
def test_uri_that_is_neither_file_nor_server_is_refused(uri):
    with pytest.raises(
        InvalidInputError, match=r"expected (a uri that ends in .db or begins with http|uri as a path)"
    ):
        VectorIndex.connect(uri)


@pytest.mark.parametrize("name", ["", "1st", "with space", "semi;colon", "a" * 201])
def test_name_that_is_no_identifier_is_refused(name, tmp_path):
    with pytest.raises(InvalidInputError, match="expected a name of letters, digits and underscores"):
        VectorIndex.connect(str(tmp_path / "a.db"), name=name)


def test_unknown_database_names_those_there_are(tmp_path):
    uri = str(tmp_path / "a.db")
    with pytest.raises(InvalidInputError, match=r"expected a database of .*a.db \(default\), got 'other'"):
        VectorIndex.connect(uri, db_name="other")
    with open_elsewhere(uri) as other:
        assert other.communicate("")[0] == "open\n"


def test_server_that_is_not_there_is_named_at_once():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    begin = time.monotonic()
    with pytest.raises(
        ConnectionFailedError, match=rf"no Milvus answers at http://127.0.0.1:{port} .*make milvus"
    ):
        VectorIndex.connect(f"http://user:hunter2@127.0.0.1:{port}")
    assert time.monotonic() - begin < 5


def test_something_that_is_no_milvus_is_given_up_within_ten_seconds():
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        begin = time.monotonic()
        with pytest.raises(ConnectionFailedError, match="no Milvus answers at"):
            VectorIndex.connect(f"http://127.0.0.1:{deaf.getsockname()[1]}")
        assert time.monotonic() - begin < 10


class Refuse(grpc.ServerInterceptor):
    """Answers every call as a Milvus with authorization does when the token is wrong."""

    def intercept_service(self, continuation, details):
        def refuse(request, context):
            context.abort(
                grpc.StatusCode.UNAUTHENTICATED, "auth check failure, please check api key is correct"
            )

        return grpc.unary_unary_rpc_method_handler(refuse)


def test_wrong_token_is_refused_and_never_shown():
    server = grpc.server(futures.ThreadPoolExecutor(2), interceptors=[Refuse()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with pytest.raises(ConnectionFailedError, match="refused the credentials; check the token") as caught:
            VectorIndex.connect(f"http://127.0.0.1:{port}", token="root:hunter2")
    finally:
        server.stop(0).wait()
    assert "hunter2" not in str(caught.value)


def test_description_shows_the_place_and_no_secret(tmp_path):
    with VectorIndex.connect(str(tmp_path / "a.db"), token="hunter2") as index:
        assert "a.db" in repr(index)
        assert "hunter2" not in repr(index)
        encoder = HashEncoder()
        version = index.build([Item(id="a", text="x")], encoder)
        assert version in repr(index.open(version, fingerprint=encoder.fingerprint))


class Flaky:
    """A server's client whose searches under way fail, and those asked at once only if told to."""

    def __init__(self, failures):
        self.failures = failures

    def search(self, name, *, _async=False):
        if _async:
            pending = futures.Future()
            pending.set_exception(MilvusException(message="channel closed"))
            return pending
        if self.failures:
            raise MilvusException(message="out of memory")
        return [name]


def flaky(failures):
    return Connection(Flaky(failures), address="http://somewhere")


def test_search_that_fails_under_way_is_asked_again():
    assert flaky(failures=False).begin("search", "items", is_alone=False)() == ["items"]


def test_search_that_fails_again_says_what_is_wrong():
    answer = flaky(failures=True).begin("search", "items", is_alone=False)
    with pytest.raises(VectorIndexError, match="http://somewhere failed in search: out of memory"):
        answer()


def test_calls_begin_at_once_but_no_more_than_eight():
    begun = []
    answers = begin_each(lambda part: begun.append(part) or (lambda: 10 * part), range(20))
    assert begun == list(range(8))
    assert next(answers) == 0
    assert len(begun) == 9
    assert list(answers) == [10 * part for part in range(1, 20)]
    assert begun == list(range(20))
