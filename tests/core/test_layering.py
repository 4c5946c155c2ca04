"""The floors of docs/architecture.md, held against every import in the code."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "shared" / "zeroshot_core"
PACKAGES = {
    "zeroshot_core": CORE,
    "langchain_zeroshot": ROOT / "langchain_zeroshot",
    "llama_index_zeroshot": ROOT / "llama_index_zeroshot",
    "benchmarks": ROOT / "benchmarks",
}
FRAMEWORKS = ("langchain", "langchain_core", "langchain_milvus", "langsmith", "llama_index")
MODELS = ("torch", "transformers", "sentence_transformers")
HEAVY = (*MODELS, "pymilvus", "milvus_lite", *FRAMEWORKS)
MAX_IMPORT_SECONDS = 0.3


class Import(NamedTuple):
    """One import statement: where it stands, what it opens, and when."""

    file: str
    line: int
    room: str
    target: str
    is_deferred: bool
    is_for_types: bool

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.target}"


def room_of(module: str) -> str:
    """The name of the floors table that a module belongs to; the package's own door is `zeroshot_core`."""
    parts = module.split(".")
    return parts[0] if parts[0] != "zeroshot_core" or len(parts) == 1 else parts[1]


@cache
def floors() -> dict[str, int]:
    """Floor by room, read from the table in the document."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = {}
    for floor, rooms in re.findall(r"^\| (\d+) \| (.*) \|$", text, flags=re.MULTILINE):
        table |= {room_of(name): int(floor) for name in re.findall(r"`([a-z_.]+)`", rooms)}
    return table


def statements(
    tree: ast.AST, *, deferred: bool = False, typed: bool = False
) -> Iterator[tuple[ast.AST, bool, bool]]:
    """Every node, whether it stands in a function, and whether under `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        yield node, deferred, typed
        inside = deferred or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        checked = typed or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        yield from statements(node, deferred=inside, typed=checked)


def targets(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert not node.level, f"line {node.lineno}: imports are absolute here"
        return [f"{node.module}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Call) and ast.unparse(node.func) in {
        "require",
        "importlib.import_module",
        "__import__",
    }:
        return [node.args[0].value] if isinstance(node.args[0], ast.Constant) else []
    return []


@cache
def imports() -> tuple[Import, ...]:
    found = []
    for package, folder in PACKAGES.items():
        for path in sorted(folder.rglob("*.py")):
            module = ".".join([package, *path.relative_to(folder).with_suffix("").parts])
            room = room_of(module.removesuffix(".__init__"))
            for node, deferred, typed in statements(ast.parse(path.read_text(encoding="utf-8"))):
                for target in targets(node):
                    line = node.lineno  # type: ignore[attr-defined]
                    found.append(Import(str(path.relative_to(ROOT)), line, room, target, deferred, typed))
    return tuple(found)


def is_of(target: str, packages: tuple[str, ...]) -> bool:
    return target.split(".")[0] in packages


def test_every_room_stands_in_the_floors_table() -> None:
    rooms = {entry.stem for entry in CORE.iterdir() if not entry.name.startswith(("__", "py.typed"))}

    assert rooms | {"langchain_zeroshot", "llama_index_zeroshot", "benchmarks"} == set(floors())


def climbs(room: str, target: str) -> bool:
    """Whether an import goes up, or sideways between folders; files of one floor may know each other."""
    here, there = floors().get(room), floors().get(target)
    if room == target or here is None or there is None:
        return False
    return there > here or (there == here and not (CORE / f"{room}.py").is_file())


def test_imports_run_downward_only() -> None:
    own = [each for each in imports() if is_of(each.target, tuple(PACKAGES))]
    assert len(own) > 100
    wrong = [str(each) for each in own if climbs(each.room, room_of(each.target))]

    assert not wrong


def test_no_room_of_the_core_opens_its_own_front_door() -> None:
    doors = {name for name in dir(__import__("zeroshot_core")) if name not in floors()}
    wrong = [
        str(each)
        for each in imports()
        if each.room in floors()
        and floors()[each.room] < floors()["langchain_zeroshot"]
        and each.target.split(".")[0] == "zeroshot_core"
        and (each.target == "zeroshot_core" or each.target.split(".")[1] in doors)
    ]

    assert not wrong


def test_only_the_index_talks_to_milvus() -> None:
    rooms = {each.room for each in imports() if is_of(each.target, ("pymilvus", "milvus_lite"))}

    assert rooms == {"index"}


def test_only_encoders_and_training_open_model_libraries() -> None:
    rooms = {each.room for each in imports() if is_of(each.target, MODELS)}

    assert rooms <= {"encoders", "training"}


def test_heavy_libraries_are_imported_inside_functions() -> None:
    wrong = [
        str(each)
        for each in imports()
        if is_of(each.target, (*MODELS, "pymilvus", "milvus_lite"))
        and not (each.is_deferred or each.is_for_types)
    ]

    assert not wrong


def test_the_core_knows_no_framework() -> None:
    wrong = [
        str(each)
        for each in imports()
        if each.file.startswith("shared/") and is_of(each.target, (*FRAMEWORKS, *list(PACKAGES)[1:]))
    ]

    assert not wrong


@pytest.mark.parametrize(
    ("adapter", "others"),
    [
        ("langchain_zeroshot", ("llama_index", "llama_index_zeroshot")),
        ("llama_index_zeroshot", ("langchain", "langchain_core", "langchain_milvus", "langchain_zeroshot")),
    ],
)
def test_adapters_do_not_import_each_other(adapter: str, others: tuple[str, ...]) -> None:
    wrong = [str(each) for each in imports() if each.room == adapter and is_of(each.target, others)]

    assert not wrong


def test_nothing_imports_the_second_copy_under_shared() -> None:
    folders = [*PACKAGES.values(), ROOT / "tests", ROOT / "scripts"]
    second_copy = re.compile(r"^\s*(from|import) shared\b", flags=re.MULTILINE)
    wrong = [
        str(path)
        for folder in folders
        for path in folder.rglob("*.py")
        if second_copy.search(path.read_text(encoding="utf-8"))
    ]

    assert not wrong


def test_importing_the_core_loads_nothing_heavy() -> None:
    program = "import sys, zeroshot_core; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert not set(HEAVY) & set(loaded.stdout.split())


@pytest.mark.parametrize("adapter", ["langchain_zeroshot", "llama_index_zeroshot"])
def test_importing_an_adapter_loads_little_beside_its_framework(adapter: str) -> None:
    program = f"import sys, {adapter}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    slow = {*MODELS, "pymilvus", "milvus_lite", "sklearn", "pandas", "scipy.stats"}
    assert not slow & set(loaded.stdout.split())


def test_importing_the_langchain_adapter_opens_no_room_that_computes() -> None:
    program = "import sys, langchain_zeroshot; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    rooms = {"scipy", "zeroshot_core.index.vector_index", "zeroshot_core.retrieval", "zeroshot_core.training"}
    assert not rooms & set(loaded.stdout.split())


def test_importing_the_core_is_quick() -> None:
    # Seconds of the processor: on a busy machine those of the clock say nothing.
    program = (
        "import time; start = time.process_time(); import zeroshot_core; print(time.process_time() - start)"
    )
    seconds = [
        float(
            subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        )
        for _ in range(3)
    ]

    assert min(seconds) < MAX_IMPORT_SECONDS
