"""Where the cases of the index run: a local file always, a server if one is given."""

import contextlib
import os
import uuid

from zeroshot_core.index import VectorIndex

SERVER = os.environ.get("ZEROSHOT_TEST_URI")


@contextlib.contextmanager
def fresh_index(uri, **options):
    """An index under a name of its own, dropped in the end."""
    with VectorIndex.connect(uri, name=f"test_{uuid.uuid4().hex[:10]}", **options) as index:
        try:
            yield index
        finally:
            for version in index.versions():
                index.drop(version.id)
