"""Files and classes that are found by their names: none stands twice, and no import goes in a circle."""

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORE = ROOT / "shared" / "zeroshot_core"
# A package's base class, what opens what it saves, and the package itself: each may have its own.
EVERYWHERE = {"__init__", "base", "loading"}
# Names of an operation, as the field has them; other words in -ing say what somebody is doing.
OPERATIONS = {
    "batching",
    "embedding",
    "encoding",
    "fitting",
    "freezing",
    "hashing",
    "indexing",
    "linking",
    "loading",
    "mapping",
    "matching",
    "mining",
    "pooling",
    "prompting",
    "ranking",
    "reranking",
    "saving",
    "scoring",
    "smoothing",
    "stacking",
    "string",
    "training",
    "tuning",
    "wording",
}
PARTICIPLES = {"drawn", "found", "held", "known", "made", "read", "seen", "taught", "told", "unread"}


@cache
def trees() -> dict[Path, ast.Module]:
    """Syntax tree of every file of the core and of the stubs of its lazy exports."""
    files = [*CORE.rglob("*.py"), *CORE.rglob("*.pyi")]
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(files)}


def shown(path: Path) -> str:
    return path.relative_to(CORE).as_posix()


def classes(*folders: Path) -> dict[str, set[str]]:
    """Where the classes of some folders are defined, by name."""
    found = defaultdict(set)
    for folder in folders:
        for path in folder.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    found[node.name].add(path.relative_to(ROOT).as_posix())
    return found


def test_no_file_of_the_core_has_the_name_of_another_one() -> None:
    by_stem = defaultdict(list)
    for path in trees():
        place = shown(path)
        # A command has the name of what it calls.
        if path.suffix == ".py" and path.stem not in EVERYWHERE and not place.startswith("cli/"):
            by_stem[path.stem].append(place)
    for package in (path.parent for path in trees() if path.stem == "__init__" and path.parent != CORE):
        by_stem[package.name].append(f"{shown(package)}/")
    twice = {place for places in by_stem.values() if len(places) > 1 for place in places}

    assert not {place for place in twice if not place.endswith("/")}


def test_no_class_has_the_name_of_another_one() -> None:
    elsewhere = classes(CORE, ROOT / "benchmarks", ROOT / "examples", ROOT / "scripts")
    twice: set[str] = set()
    # The two adapters name alike what does the same.
    for adapter in (ROOT / "langchain_zeroshot", ROOT / "llama_index_zeroshot"):
        own = classes(adapter)
        for name in own | elsewhere:
            places = own.get(name, set()) | elsewhere.get(name, set())
            twice |= places if len(places) > 1 else set()

    assert not {place.removeprefix("shared/zeroshot_core/") for place in twice}


def test_files_of_the_core_are_named_by_nouns() -> None:
    wrong = set()
    for path in trees():
        last = path.stem.split("_")[-1]
        is_participle = last.endswith("ed") or last in PARTICIPLES or last.endswith("ly")
        if is_participle or (last.endswith("ing") and last not in OPERATIONS):
            wrong.add(shown(path))

    assert not wrong


@cache
def exports(package: Path) -> dict[str, Path]:
    """The file that defines each name of a package, read from its imports and from its stub."""
    found = {}
    for path in (package / "__init__.py", package / "__init__.pyi"):
        for node in ast.walk(trees()[path]) if path in trees() else ():
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    source = file_of(node, package, alias.name)
                    if source is not None:
                        found[alias.asname or alias.name] = source
    return found


def file_of(node: ast.ImportFrom, package: Path, name: str) -> Path | None:
    """The file of the core that an imported name comes from, through the package that exports it."""
    parts = (node.module or "").split(".")
    if node.level:
        parts = ["zeroshot_core", *package.relative_to(CORE).parts, *filter(None, parts)]
    if parts[0] != "zeroshot_core":
        return None
    place = CORE.joinpath(*parts[1:])
    if place.with_suffix(".py").is_file():
        return place.with_suffix(".py")
    if (place / f"{name}.py").is_file():
        return place / f"{name}.py"
    if (place / name / "__init__.py").is_file():
        return place / name / "__init__.py"
    return exports(place).get(name, place / "__init__.py") if place != package else None


def dependencies(path: Path) -> set[Path]:
    """Files of the core that a file imports: at once, within its functions, or for types alone."""
    nodes = [node for node in ast.walk(trees()[path]) if isinstance(node, ast.ImportFrom)]
    sources = {file_of(node, path.parent, alias.name) for node in nodes for alias in node.names}
    return {source for source in sources if source is not None} - {path}


def circles(graph: dict[Path, set[Path]]) -> set[Path]:
    """Nodes from which a way leads back."""
    reach = {node: set(following) for node, following in graph.items()}
    for middle in graph:
        for each in reach.values():
            if middle in each:
                each |= reach[middle]
    return {node for node, following in reach.items() if node in following}


def test_no_file_of_the_core_imports_in_a_circle() -> None:
    graph = {path: dependencies(path) for path in trees() if path.suffix == ".py" and path.stem != "__init__"}
    graph = {path: {each for each in following if each in graph} for path, following in graph.items()}
    assert sum(map(len, graph.values())) > 300

    assert not {shown(path) for path in circles(graph)}


def test_a_circle_is_found_through_a_file_between() -> None:
    a, b, c = (CORE / f"{name}.py" for name in "abc")

    assert circles({a: {b}, b: {c}, c: {b}}) == {b, c}
    assert circles({a: {b}, b: {c}, c: set()}) == set()
