from __future__ import annotations

from zeroshot_core import Concept, Contribution, Evidence, Hit, KnowledgeGraph, Prediction, Relation
from zeroshot_core.explain.wording import (
    contributions_in_words,
    evidence_in_words,
    hit_in_words,
    hits_in_words,
    path_in_words,
    prediction_in_words,
)


def test_a_path_is_a_chain_in_the_direction_it_is_walked() -> None:
    path = (
        Relation(head="query", type="near", tail="type:red wine"),
        Relation(head="type:red wine", type="aisle", tail="aisle:drinks"),
        Relation(head="type:lemonade", type="aisle", tail="aisle:drinks"),
    )
    assert path_in_words(path) == ("query -near-> type:red wine -aisle-> aisle:drinks <-aisle- type:lemonade")


def test_a_path_that_breaks_off_says_so() -> None:
    path = (Relation(head="a", type="is", tail="b"), Relation(head="c", type="is", tail="d"))
    assert path_in_words(path) == "a -is-> b; c -is-> d"


def test_no_path_is_no_words() -> None:
    assert path_in_words(()) == ""


def test_a_number_is_told_with_its_interval_neighbours_concepts_and_path() -> None:
    wine = Hit(
        id="w1",
        kind="item",
        score=0.834,
        text="dry red wine",
        path=(Relation(head="query", type="near", tail="type:wine"),),
    )
    concept = Hit(id="type:wine", kind="concept", score=0.5)
    prediction = Prediction(
        id="q",
        value=12.3456,
        interval=(3.0, 30.0),
        coverage=0.9,
        evidence=Evidence(items=(wine,), concepts=(concept,)),
    )
    assert prediction_in_words(prediction) == (
        "Predicted 12.35, with 90% probability between 3 and 30. Nearest known: dry red wine (0.83). "
        "Concepts: type:wine (0.50). Through the graph: query -near-> type:wine."
    )


def test_a_label_is_told_with_the_likeliest_others() -> None:
    shares = {"a": 0.5, "b": 0.3, "c": 0.15, "d": 0.05}
    assert prediction_in_words(Prediction(id="q", value="a", probabilities=shares)) == (
        "Predicted a (a 50%, b 30%, c 15%)."
    )


def test_a_curve_is_told_number_by_number() -> None:
    prediction = Prediction(id="q", value=(1.0, 2.5), interval=((0.0, 1.0), (2.0, 4.0)), coverage=0.8)
    assert prediction_in_words(prediction) == (
        "Predicted [1, 2.5], with 80% probability between [0, 1] and [2, 4]."
    )


GRAPH = KnowledgeGraph(
    [Concept(id="k1", name="painful joint"), Concept(id="k2", name="gout")],
    [Relation(head="k2", type="has_finding", tail="k1")],
)
PATH = (
    Relation(head="query", type="mentions", tail="k1", weight=0.983),
    Relation(head="k2", type="has_finding", tail="k1"),
    Relation(head="leaflet", type="disease", tail="k2"),
)


def test_with_a_graph_concepts_have_their_names_and_the_first_step_its_weight() -> None:
    assert path_in_words(PATH, GRAPH) == (
        'query -near (0.98)-> "painful joint" <-has_finding- "gout" <-disease- leaflet'
    )


def test_a_hit_is_told_with_its_parts() -> None:
    parts = {"vector": 0.312, "graph": 0.79, "age": 0.1}
    hit = Hit(id="leaflet", kind="item", score=0.55, parts=parts, path=PATH)
    assert hit_in_words(hit, GRAPH) == (
        "leaflet: score 0.55; similarity of the texts 0.31, overlap in the graph 0.79, age 0.10; "
        f"{path_in_words(PATH, GRAPH)}"
    )
    assert hit_in_words(Hit(id="k2", kind="concept", score=1.0), GRAPH) == '"gout": score 1.00'


def test_all_evidence_is_told_line_by_line() -> None:
    known = Hit(id="leaflet", kind="item", score=0.55, text="Gout hurts.", path=PATH[:1])
    concept = Hit(id="k2", kind="concept", score=1.0, text="gout")
    evidence = Evidence(items=(known,), concepts=(concept,))
    prediction = Prediction(id="q", value="a", probabilities={"b": 0.25, "a": 0.75}, evidence=evidence)
    assert evidence_in_words(prediction).splitlines() == [
        prediction_in_words(prediction),
        "Probabilities:",
        "a: 75.0%",
        "b: 25.0%",
        "Known things:",
        "leaflet: Gout hurts. (score 0.55; query -near-> k1)",
        "Concepts:",
        "k2: gout (score 1.00)",
    ]
    assert hits_in_words([concept]) == "k2: gout (score 1.00)"
    assert hits_in_words([]) == "nothing known matches"


def test_only_a_concept_that_the_query_is_linked_to_is_called_mentioned() -> None:
    own = Relation(head="query", type="mentions", tail="k1")
    assert path_in_words([own]) == "query -mentions-> k1"
    assert (
        path_in_words([Relation(head="query", type="mentions", tail="k1", weight=0.4)]) == "query -near-> k1"
    )


def test_concepts_without_a_score_and_negative_zeros_are_left_out() -> None:
    concepts = (
        Hit(id="k1", kind="concept", score=0.4, text="wine"),
        Hit(id="k2", kind="concept", score=0.0, text="pets"),
    )
    words = evidence_in_words(
        Prediction(
            id="q", value=-0.0, interval=(-0.0, 2.0), coverage=0.9, evidence=Evidence(concepts=concepts)
        )
    )
    assert "Predicted 0, with 90% probability between 0 and 2." in words
    assert "wine" in words
    assert "pets" not in words


def moved(
    kind: str, amount: float, *, name: str = "", said: str = "", is_relative: bool = True
) -> Contribution:
    return Contribution(kind=kind, name=name, said=said, amount=amount, is_relative=is_relative)  # type: ignore[arg-type]


def test_what_moved_a_forecast_is_told_in_percent_or_as_a_factor() -> None:
    contributions = [
        moved("neighbours", 1.6),
        moved("concepts", 0.3365, name="product_type", said="wine"),
        moved("column", -0.1278, name="price", said="3.99"),
        moved("text", 0.001),
        moved("concepts", -0.1, name="brand"),
        moved("column", -0.09, name="size"),
    ]
    assert contributions_in_words(contributions, 9) == (
        "the nearest known items made it 5 times as much, product type: wine raised it by 40%, "
        "price 3.99 lowered it by 12%, no brand given lowered it by 10%, no size given lowered it by 9%"
    )
    assert contributions_in_words([]) == ""


def test_what_moved_a_signed_forecast_is_told_in_its_unit() -> None:
    contributions = [moved("text", -2.5, is_relative=False), moved("neighbours", 0.0, is_relative=False)]
    told = Prediction(id="q", value=-1.5, contributions=tuple(contributions), typical=1.0)
    assert "Set against a typical known item, the text lowered it by 2.5." in prediction_in_words(told)
