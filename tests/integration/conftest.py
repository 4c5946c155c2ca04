"""The Milvus that the cases of the index run against."""

import pytest
from milvus_targets import SERVER


@pytest.fixture(
    scope="module",
    params=[
        "lite",
        pytest.param(
            "server",
            marks=[pytest.mark.server, pytest.mark.skipif(not SERVER, reason="ZEROSHOT_TEST_URI is not set")],
        ),
    ],
)
def uri(request, tmp_path_factory):
    return SERVER if request.param == "server" else str(tmp_path_factory.mktemp("milvus") / "index.db")
