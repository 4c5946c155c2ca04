"""Files of strangers: they ask for no address, no other file, and no time or memory out of proportion."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph

MOST_SECONDS = 10
RDF = (
    '<?xml version="1.0"?>\n{doctype}<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    'xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#" xmlns:e="http://e/">{body}</rdf:RDF>'
)
ABOUT = '<rdf:Description rdf:about="http://a/x">{}</rdf:Description>'
NESTED = "".join(f'<!ENTITY a{i + 1} "' + f"&a{i};" * 10 + '">' for i in range(7))
NESTED = f'<!DOCTYPE r [<!ENTITY a0 "aaaaaaaaaa">{NESTED}]>'


class Requests(BaseHTTPRequestHandler):
    """Counts who asks."""

    paths: ClassVar[list[str]] = []

    def do_GET(self):
        self.paths.append(self.path)
        self.send_error(404)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def address():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


NAMESPACES = " ".join(f'xmlns:a{i}="http://n/{i}"' for i in range(300))
LINES = "a\n" * 200_000
LINE = '<http://a/x> <http://b> "c" .\n'
CONTEXTS = ",".join(f'{{"@context": {{"t{i}": "http://x/{i}"}}, "t{i}": 1}}' for i in range(2000))
TERMS = ",".join(f'"t{i}": "http://t{i}/"' for i in range(9000))


def rdf(doctype="", body=""):
    return RDF.format(doctype=doctype, body=ABOUT.format(body))


def read(folder, name, text):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return KnowledgeGraph.from_graphml(path) if name.endswith("graphml") else KnowledgeGraph.from_rdf(path)


def refused(folder, name, text, message):
    begun = time.perf_counter()
    with pytest.raises(InvalidInputError, match=message) as caught:
        read(folder, name, text)
    assert time.perf_counter() - begun < MOST_SECONDS
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.jsonld", '{{"@context": "{at}/context", "@id": "http://a"}}'),
        ("a.jsonld", '{{"@context": {{"@import": "{at}/context"}}, "@id": "http://a"}}'),
        ("a.jsonld", '{{"http://b": [{{"@context": [[{{}}], ["{at}/context"]]}}]}}'),
        ("a.jsonld", '{{"@context": {{"t": {{"@id": "http://t", "@context": "{at}/x"}}}}, "t": {{"a": 1}}}}'),
        ("a.jsonld", '{{"@context": "file:///etc/passwd", "@id": "{at}/a"}}'),
        ("a.owl", rdf('<!DOCTYPE r SYSTEM "{at}/types.dtd">')),
        ("a.owl", rdf('<!DOCTYPE r [<!ENTITY a SYSTEM "{at}/entity">]>', "<e:x>&a;</e:x>")),
        ("a.owl", rdf('<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]>', "<e:x>&a;</e:x>")),
        ("a.owl", rdf('<!DOCTYPE r [<!ENTITY % a SYSTEM "{at}/entity"> %a;]>')),
        ("a.graphml", '<!DOCTYPE graphml SYSTEM "{at}/types.dtd"><graphml/>'),
        ("a.graphml", '<!DOCTYPE graphml [<!ENTITY a SYSTEM "{at}/a">]><graphml>&a;</graphml>'),
    ],
)
def test_what_is_kept_elsewhere_is_refused_and_not_asked_for(tmp_path, address, name, text):
    text = text.format(at=address) if name == "a.jsonld" else text.replace("{at}", address)
    refused(tmp_path, name, text, "expected .* that stands by itself, got .*; (write|remove)")
    assert Requests.paths == []


def test_the_server_of_these_tests_counts_requests(address):
    from urllib.error import HTTPError
    from urllib.request import urlopen

    with pytest.raises(HTTPError):
        urlopen(f"{address}/here")
    assert Requests.paths.pop() == "/here"


def test_of_a_repeated_context_the_one_that_is_checked_counts(tmp_path, address):
    text = f'{{"@context": "{address}/c", "@context": {{}}, "@id": "http://a/x", "http://b": "c"}}'
    assert list(read(tmp_path, "a.jsonld", text).concepts) == ["http://a/x"]
    assert Requests.paths == []


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("nested.owl", rdf(NESTED, "<e:x>&a7;</e:x>"), "got the nested entity 'a1'"),
        ("nested.graphml", f"{NESTED}<graphml>&a7;</graphml>", "got the nested entity 'a1'"),
        (
            "long.owl",
            rdf(f'<!DOCTYPE r [<!ENTITY a "{"x" * 100_000}">]>', f"<e:x>{'&a;' * 1000}</e:x>"),
            "entities of over 10,000,000 characters",
        ),
        ("long.graphml", '<!DOCTYPE r [<!ENTITY a "x">]><graphml>&a;</graphml>', "got entities; write their"),
        ("default.owl", rdf('<!DOCTYPE r [<!ATTLIST e:x e:y CDATA "long">]>'), "a default for the attribute"),
        ("deep.owl", rdf("", "<e:x><e:A>" * 200 + "</e:A></e:x>" * 200), "over 256 deep"),
        ("deep.graphml", "<graph>" * 300 + "</graph>" * 300, "over 256 deep"),
        (
            "names.owl",
            rdf("", f"<e:x {NAMESPACES}/>"),
            "over 256 namespaces",
        ),
        ("lines.owl", rdf("", f"<e:x>{LINES}</e:x>"), "a text in too many lines"),
        (
            "literal.owl",
            rdf("", f'<e:x rdf:parseType="Literal">{"<e:a/>" * 2000}</e:x>'),
            "a text in too many lines or elements",
        ),
        (
            "contexts.jsonld",
            f"[{CONTEXTS}]",
            "one context, got 2000 with 2000 terms in all",
        ),
        ("deep.jsonld", '{"a":' * 100_000 + "1" + "}" * 100_000, "expected json-ld, got damage .*recursion"),
        ("deep.ttl", "<http://a> <http://b> " + "[ <http://b> " * 50_000, "expected turtle, got damage"),
        (
            "long.nt",
            '<http://a> <http://b> "' + "\\u0041" * 200_000,
            "got 1 damaged: line 1: expected a triple",
        ),
        ("many.nt", LINE * 200_000 + "<http://a> .", "got 1 damaged: line 200001: expected a triple"),
        ("long.ttl", f"<http://a> <http://b> {'9' * 100_000} .", "expected turtle, got damage"),
    ],
)
def test_what_asks_for_too_much_is_refused_at_once(tmp_path, name, text, message):
    refused(tmp_path, name, text, message)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "decimal.ttl",
            '<http://a/x> <http://b> "1e1999999999"^^<http://www.w3.org/2001/XMLSchema#decimal> .',
        ),
        (
            "duration.ttl",
            f'<http://a/x> <http://b> "P{"9" * 4000}Y"^^<http://www.w3.org/2001/XMLSchema#duration> .',
        ),
        (
            "prefixes.owl",
            RDF.format(
                doctype="",
                body="".join(
                    f'<rdf:Description xmlns:a="http://n/{i}" rdf:about="http://a/x" a:b="c"/>'
                    for i in range(3000)
                ),
            ),
        ),
        (
            "terms.jsonld",
            f'{{"@context": {{{TERMS}}}, "@id": "http://a/x", "t0:a": "x"}}',
        ),
        ("loose.nt", '# x\n\n\t_:a.b <http://b> _:c.\r\n<http://a/x><http://b c>"\u2028\\""@en-GB.# y'),
        ("escapes.nt", '<http://a/x> <http://b> "' + "\\u0041" * 100_000 + '" .'),
    ],
)
def test_what_looks_expensive_and_is_not_is_read_at_once(tmp_path, name, text, recwarn, caplog):
    begun = time.perf_counter()
    assert list(read(tmp_path, name, text).concepts) == ["http://a/x"]
    assert time.perf_counter() - begun < MOST_SECONDS
    assert not recwarn.list
    assert not caplog.records


def test_entities_that_abbreviate_addresses_are_read(tmp_path):
    text = rdf(
        '<!DOCTYPE rdf:RDF [<!ENTITY e "http://e/"> <!ENTITY amp2 "&#38;#38;">]>',
        '<rdfs:label>this &amp2; that</rdfs:label><e:x rdf:resource="&e;y"/>',
    )
    graph = read(tmp_path, "a.owl", text)
    assert list(graph.concepts) == ["http://a/x", "http://e/y"]
    assert graph.concepts["http://a/x"].name == "this & that"


@pytest.mark.parametrize("encoding", ["foo", "zip", "utf-7"])
def test_a_strange_encoding_is_refused(tmp_path, encoding):
    text = f'<?xml version="1.0" encoding="{encoding}"?><graphml/>'
    refused(tmp_path, "a.graphml", text, "expected a GraphML file, got .*encoding")


@pytest.mark.parametrize(
    ("text", "syntax"),
    [
        ("# x\nPrefix(:=<http://a>)\nOntology(<http://a>)", "OWL in functional syntax"),
        ("Prefix: : <http://a>\nOntology: <http://a>", "OWL in Manchester syntax"),
        ('<?xml version="1.0"?>\n<!-- x -->\n<Ontology xmlns="http://www.w3.org/2002/07/owl#"/>', "OWL/XML"),
        ('{"graphs": [{"nodes": []}]}', "OBO graphs in JSON"),
    ],
)
def test_other_syntaxes_of_ontologies_are_named_with_what_converts_them(tmp_path, text, syntax):
    refused(tmp_path, "a.owl", text, f"expected RDF, got {syntax}; convert it with ROBOT: robot convert")


def test_obo_that_is_read_as_rdf_is_told_its_reader(tmp_path):
    refused(tmp_path, "a.obo", "format-version: 1.2\n", "expected RDF, got OBO; read it with from_obo")


def test_damage_quoted_in_an_error_is_short_and_plain(tmp_path):
    refused(tmp_path, "a.nt", '<http://a> <http://b> "\x1b[2J' + "x" * 10_000, "got 1 damaged: line 1")
    with pytest.raises(InvalidInputError) as caught:
        read(tmp_path, "a.ttl", "<http://a> \x1b[2J\x07 .")
    assert str(caught.value).isprintable()
