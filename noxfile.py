"""The tests on every Python that is supported, with the newest and the oldest versions of what they stand on.

make test-matrix                    # all that is installed here of Python 3.10 to 3.13
nox -s oldest -- tests/adapters     # one of them, on some tests

A Python that is missing is skipped, and said so. Where the package index offers no build of torch for the
processor alone, the environments take some 10 GB together.
"""

from __future__ import annotations

import nox

# uv installs in a minute what takes pip an hour, and keeps one copy of it for all environments.
nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_existing_virtualenvs = True

PACKAGE = ".[all]"
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
# The versions at the lower ends of the ranges in pyproject.toml, and what tests them.
OLDEST = ("langchain-core==1.2.5", "llama-index-core==0.14.23", "pymilvus==2.6.1")
OLDEST_TESTS = (
    "httpx>=0.27",
    "hypothesis>=6.100",
    "langchain-tests==1.1.0",
    "pytest>=8",
    "pytest-asyncio",
    "pytest-xdist",
    "uvloop",
)
FAST = ("-n", "auto", "--dist", "loadfile", "-m", "not slow and not server and not ray")
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


@nox.session(python=PYTHONS)
def newest(session: nox.Session) -> None:
    """Run on the newest versions: those of constraints.txt from Python 3.11 on."""
    exact = () if session.python == "3.10" else ("-c", "constraints.txt")
    groups = nox.project.dependency_groups(nox.project.load_toml(), "test")
    session.install(*exact, "-e", PACKAGE, *groups)
    session.run("pytest", *FAST, *(session.posargs or ["tests"]), env=ONE_THREAD)


@nox.session(python="3.11")
def oldest(session: nox.Session) -> None:
    """Run on the oldest frameworks and client of Milvus; their own warnings are not errors here."""
    extras = ".[langchain,llama-index,lora,mcp,onnx,ontology,serve,tables,demo]"
    session.install("torch==2.13.0", "-e", extras, *OLDEST, *OLDEST_TESTS)
    session.run("pytest", *FAST, "-W", "default", *(session.posargs or ["tests"]), env=ONE_THREAD)


@nox.session(python="3.11")
def vision(session: nox.Session) -> None:
    """Run the models of images that need torchvision or timm."""
    session.install("torch==2.13.0", "-e", ".[demo,images,vision]", "pytest>=8", "pytest-asyncio")
    tests = session.posargs or [
        "tests/core/encoders/test_vision_models.py",
        "tests/core/encoders/test_multimodal_encoder.py",
    ]
    session.run("pytest", "-W", "default", *tests, env=ONE_THREAD)


@nox.session(python="3.11")
def llama_index_milvus(session: nox.Session) -> None:
    """Run beside LlamaIndex's own Milvus store, which needs an older client than LangChain's."""
    session.install(
        "torch==2.13.0",
        "-e",
        ".[llama-index,demo]",
        "llama-index-vector-stores-milvus>=1.2",
        "pytest>=8",
        "pytest-asyncio",
        "pytest-xdist",
    )
    tests = session.posargs or ["tests/adapters/test_llama_index_milvus_store.py"]
    session.run("pytest", "-W", "default", *tests, env=ONE_THREAD)
