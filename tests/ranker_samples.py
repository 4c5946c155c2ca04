"""A small clinic: findings in a hierarchy, and the diseases that show them."""

from collections.abc import Mapping
from types import MappingProxyType

from zeroshot_core import Concept, KnowledgeGraph, Relation
from zeroshot_core.ranking.findings import Findings

FINDINGS = {
    "F:all": ("Abnormality", ()),
    "F:nerves": ("Abnormality of the nervous system", ("F:all",)),
    "F:seizure": ("Seizure", ("F:nerves",)),
    "F:focal": ("Focal-onset seizure", ("F:seizure",)),
    "F:absence": ("Absence seizure", ("F:seizure",)),
    "F:ataxia": ("Ataxia", ("F:nerves",)),
    "F:eye": ("Abnormality of the eye", ("F:all",)),
    "F:cataract": ("Cataract", ("F:eye",)),
    "F:nuclear": ("Nuclear cataract", ("F:cataract",)),
    "F:lens": ("Ectopia lentis", ("F:eye",)),
    "F:heart": ("Abnormality of the heart", ("F:all",)),
    "F:aorta": ("Aortic root aneurysm", ("F:heart",)),
    "F:rhythm": ("Arrhythmia", ("F:heart",)),
    "F:slow": ("Bradycardia", ("F:rhythm",)),
    "F:bones": ("Abnormality of the skeleton", ("F:all",)),
    "F:tall": ("Tall stature", ("F:bones",)),
    "F:fingers": ("Arachnodactyly", ("F:bones",)),
    "F:scoliosis": ("Scoliosis", ("F:bones",)),
    "F:skin": ("Abnormality of the skin", ("F:all",)),
    "F:rash": ("Skin rash", ("F:skin",)),
}
SYNONYMS = {
    "F:seizure": ("Fits", "Epileptic seizure"),
    "F:fingers": ("Long slender fingers", "Spider fingers"),
    "F:tall": ("Increased body height",),
    "F:scoliosis": ("Curved spine",),
    "F:slow": ("Slow heartbeat",),
    "F:lens": ("Dislocated lens",),
}
SHOWN = {
    ("OMIM:1", "Marfan syndrome"): {"F:aorta": 0.8, "F:lens": 0.6, "F:fingers": 0.9, "F:tall": 0.9},
    ("OMIM:2", "Lens luxation, familial"): {"F:lens": 1.0, "F:cataract": 0.3},
    ("OMIM:3", "Absence epilepsy"): {"F:absence": 1.0, "F:ataxia": 0.1},
    ("OMIM:4", "Focal epilepsy"): {"F:focal": 1.0, "F:ataxia": 0.1},
    ("OMIM:5", "Cerebellar ataxia"): {"F:ataxia": 1.0, "F:scoliosis": 0.4, "F:nuclear": 0.2},
    ("ORPHA:1", "Sick sinus syndrome"): {"F:slow": 1.0, "F:rhythm": 0.5},
    ("ORPHA:2", "Nuclear cataract, congenital"): {"F:nuclear": 0.9, "F:scoliosis": 0.1},
    ("ORPHA:3", "Idiopathic scoliosis"): {"F:scoliosis": 1.0, "F:tall": 0.2},
    ("ORPHA:4", "Exanthema"): {"F:rash": 1.0},
}
LACKED = {"ORPHA:3": ("F:nerves",)}


def clinic_graph(
    extra: tuple[Relation, ...] = (), names: Mapping[str, str] = MappingProxyType({})
) -> KnowledgeGraph:
    """The findings, the diseases, and relations and names of one's own."""
    findings = [
        Concept(id=id_, name=name, type="phenotype", synonyms=SYNONYMS.get(id_, ()))
        for id_, (name, _) in FINDINGS.items()
    ]
    relations = [
        Relation(head=id_, type="is_a", tail=parent)
        for id_, (_, parents) in FINDINGS.items()
        for parent in parents
    ]
    relations += [
        Relation(head=id_, type="has_phenotype", tail=finding, weight=share)
        for (id_, _), shown in SHOWN.items()
        for finding, share in shown.items()
    ]
    relations += [
        Relation(head=id_, type="lacks_phenotype", tail=finding)
        for id_, lacked in LACKED.items()
        for finding in lacked
    ]
    diseases = [Concept(id=id_, name=names.get(id_, name), type="disease") for id_, name in SHOWN]
    return KnowledgeGraph(findings + diseases, [*relations, *extra])


def found(*present: str, no: tuple[str, ...] = ()) -> Findings:
    """Findings of a case, and excluded ones."""
    return Findings(present=present, excluded=no)
