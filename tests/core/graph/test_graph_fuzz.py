"""Damaged files and graphs of every format: read, or refused in one sentence, at once."""

from __future__ import annotations

import random
import time
import warnings

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from zeroshot_core.errors import ZeroShotError
from zeroshot_core.graph import KnowledgeGraph

N_CASES = 40
MOST_SECONDS = 10
LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
NARROW = "http://www.w3.org/2000/01/rdf-schema#subClassOf"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
SOUND = {
    "a.obo": """format-version: 1.2
[Term]
id: X:1
name: drinks
def: "To drink." [x]
synonym: "beverages" EXACT []

[Term]
id: X:2
alt_id: X:9
is_a: X:1 ! drinks
relationship: part_of X:1 {source="y"}
""",
    "a.ttl": f"""<http://x/a> <{LABEL}> "wine"@en , "Wein"@de ;
<{NARROW}> <http://x/b>, [ <{NARROW}> (1 2) ] .
""",
    "a.nt": f"""<http://x/a> <{LABEL}> "wi\\u006ee"@en .
<http://x/a> <{NARROW}> <http://x/b> .
_:c <{LABEL}> "c" .
""",
    "a.owl": f"""<?xml version="1.0"?><rdf:RDF xmlns:rdf="{RDF}" xmlns:x="{LABEL[:-5]}">
<rdf:Description rdf:about="http://x/a"><x:label xml:lang="en">wine</x:label>
<x:subClassOf rdf:resource="http://x/b"/></rdf:Description></rdf:RDF>
""",
    "a.jsonld": f'{{"@context": {{"label": "{LABEL}"}}, "@graph": [{{"@id": "http://x/a", "label": "wine", '
    f'"{NARROW}": {{"@id": "http://x/b"}}}}]}}',
    "a.graphml": """<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
<key id="d0" for="node" attr.name="name" attr.type="string"/>
<key id="d1" for="edge" attr.name="weight" attr.type="double"/>
<graph edgedefault="directed"><node id="a"><data key="d0">wine</data></node><node id="b"/>
<edge source="a" target="b" label="is_a"><data key="d1">0.5</data></edge></graph></graphml>
""",
    "a.csv": 'head,type,tail,weight,sources\na,is_a,b,1,x|y\n"c, d",near,a,0.5,\n',
    "a.jsonl": """{"concept": {"id": "a", "name": "wine", "synonyms": ["vino"]}}
{"concept": {"id": "b", "name": "drinks", "type": "aisle"}}
{"relation": {"head": "a", "type": "is_a", "tail": "b", "weight": 0.5, "sources": ["x"]}}
{"alternative_ids": {"old": "a"}}
""",
}
FRAGMENTS = (
    *("", "\0", "\n", "\r", '"', "'", "<", ">", "&", "&x;", "{", "}", "[", "]", ",", ";", ":", ".", "@"),
    *("\\", "null", "NaN", "-1", "1e999", "9" * 5000, "\\ud800", "\\u0000", "\x1b[2J", "\u2028"),
    *("x" * 20_000, "![Term]", "]]>", "<!DOCTYPE x [<!ENTITY a 'b'>]>", "xml:lang='en'", '"""'),
    *("@base <x> .", '{"@context": "http://x"}', "alternative_ids", "[[[[" * 1000),
)  # fmt: skip
ODD = (
    *(None, True, -1, 2.5, 10**400, float("nan"), float("inf"), 1j, "", "wine", "a|b", "a\nb", "\ud800"),
    *(b"x", [], ["a", None], [["a"]], {"a": 1}, {"a"}, object(), np.str_("a"), np.float32(2), np.ma.masked),
    *(np.array(["a", "b"]), np.array(3), np.datetime64("2020"), pd.NA, pd.NaT, "x" * 20_000),
    pd.DataFrame({"a": [1, 2]}),
)  # fmt: skip


def mutated(text: str, rng: random.Random) -> bytes:
    for _ in range(rng.randint(1, 3)):
        start = rng.randrange(len(text) + 1)
        end = start + rng.choice((0, 1, 2, 5, 20, 100))
        piece = rng.choice((*FRAGMENTS, text[start:end] * 2, text[start:end] * 50))
        text = text[:start] + piece + text[end:] if rng.random() < 0.9 else text[:start]
    return text.encode(rng.choice(("utf-8",) * 9 + ("utf-16", "latin-1", "cp037")), "replace")


def checked(read, folder) -> bool:
    """Whether it is read; then it is written and read again as the same."""
    begun = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            graph = read()
        except ZeroShotError as error:
            message = str(error)
            assert "\n" not in message
            assert len(message) < 1000
            return False
        finally:
            assert time.perf_counter() - begun < MOST_SECONDS
    graph.to_jsonl(folder / "again.jsonl")
    assert KnowledgeGraph.from_jsonl(folder / "again.jsonl") == graph
    assert KnowledgeGraph.from_networkx(graph.to_networkx()) == graph
    return True


def reader(path):
    names = {".obo": "obo", ".csv": "csv", ".jsonl": "jsonl", ".graphml": "graphml"}
    return getattr(KnowledgeGraph, f"from_{names.get(path.suffix, 'rdf')}")


@pytest.mark.parametrize("name", SOUND)
def test_a_damaged_file_is_read_or_refused_in_one_sentence(tmp_path, name):
    path, rng = tmp_path / name, random.Random(name)
    path.write_text(SOUND[name])
    assert checked(lambda: reader(path)(path), tmp_path)
    for _ in range(N_CASES):
        path.write_bytes(mutated(SOUND[name], rng))
        checked(lambda: reader(path)(path), tmp_path)


def attributes(rng: random.Random, *names: str) -> dict[str, object]:
    return {name: rng.choice(ODD) for name in rng.sample(names, rng.randint(0, min(2, len(names))))}


def test_a_graph_of_networkx_with_odd_attributes_is_read_or_refused_in_one_sentence(tmp_path):
    rng = random.Random(0)
    read = 0
    for _ in range(4 * N_CASES):
        g = rng.choice((nx.Graph, nx.DiGraph, nx.MultiGraph, nx.MultiDiGraph))()
        nodes = [each for each in rng.sample(ODD, 3) if each is not None and each.__hash__]
        for node in nodes:
            g.add_node(node, **attributes(rng, "name", "type", "synonyms", "description"))
            g.add_edge(node, "a", **attributes(rng, "type", "label", "relation", "weight", "sources"))
        g.graph.update(attributes(rng, "alternative_ids"))
        read += checked(lambda g=g: KnowledgeGraph.from_networkx(g), tmp_path)
    assert read > N_CASES / 2


def test_a_frame_of_odd_cells_is_read_or_refused_in_one_sentence(tmp_path):
    rng = random.Random(0)
    columns = ("head", "type", "tail", "weight", "sources")
    for _ in range(N_CASES):
        cells = {name: ["a", "b"] for name in columns[:3]}
        for name in rng.sample(columns, 2):
            cells[name] = [rng.choice(ODD), "b"]
        frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in cells.items()})
        checked(lambda frame=frame: KnowledgeGraph.from_pandas(frame), tmp_path)
