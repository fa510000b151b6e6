"""Makes the starter vocabulary from the catalog, so that the two are in step.

`python -m madang.science.synthesis.vocabulary` writes the files of `madang.science.omop.starter` anew.
"""

from collections.abc import Iterable
from pathlib import Path

from madang.science.synthesis.catalog import rows

RELEASE = "Madang starter 1 (synthetic demo only, not a download from Athena)"
FIRST_CODE = 2_000_000_001
FIRST_METADATA = 2_100_000_001
ALWAYS = ("1970-01-01", "2099-12-31")

VOCABULARIES = {
    "None": "OMOP standardized vocabularies",
    "SNOMED": "SNOMED CT (concept identifiers only, codes are licensed)",
    "LOINC": "LOINC (concept identifiers only, codes are licensed)",
    "RxNorm": "RxNorm",
    "ATC": "Anatomical therapeutic chemical classification",
    "UCUM": "Unified code for units of measure",
    "KCD7": "Korean classification of diseases, undotted (codes that the synthetic people use)",
    "ICD10": "International classification of diseases, 10th revision (codes that the synthetic people use)",
    "EDI": "Korean fee list (codes that the synthetic people use, mostly made up)",
    "KDC": "Korean drug codes (made up)",
    "Gender": "Gender",
    "Race": "Race",
    "Ethnicity": "Ethnicity",
    "Visit": "Visit",
    "CMS Place of Service": "Place of service",
    "Medicare Specialty": "Specialties of physicians",
    "Type Concept": "Provenance of records",
    "Condition Status": "Condition status",
    "Currency": "Currency",
    "CDM": "Versions of the common data model",
    "Vocabulary": "Vocabularies",
    "Domain": "Domains",
    "Concept Class": "Concept classes",
    "Relationship": "Relationships",
}
RELATIONSHIPS = (
    ("Maps to", "Source concept leads to standard concept", "Mapped from", "0", "0"),
    ("Mapped from", "Standard concept is reached from source concept", "Maps to", "0", "0"),
    ("Maps to value", "Source concept leads to the value of its standard concept", "Value mapped from", "0", "0"),
    ("Value mapped from", "Value is reached from source concept", "Maps to value", "0", "0"),
    ("Is a", "Concept is a kind of another", "Subsumes", "1", "0"),
    ("Subsumes", "Concept has another as its kind", "Is a", "1", "1"),
    ("Concept replaced by", "Concept was replaced", "Concept replaces", "0", "0"),
    ("Concept replaces", "Concept replaces a former one", "Concept replaced by", "0", "0"),
)
HEADERS = {
    "CONCEPT": "concept_id concept_name domain_id vocabulary_id concept_class_id standard_concept concept_code "
    "valid_start_date valid_end_date invalid_reason",
    "CONCEPT_RELATIONSHIP": "concept_id_1 concept_id_2 relationship_id valid_start_date valid_end_date invalid_reason",
    "CONCEPT_ANCESTOR": "ancestor_concept_id descendant_concept_id min_levels_of_separation max_levels_of_separation",
    "CONCEPT_SYNONYM": "concept_id concept_synonym_name language_concept_id",
    "VOCABULARY": "vocabulary_id vocabulary_name vocabulary_reference vocabulary_version vocabulary_concept_id",
    "DOMAIN": "domain_id domain_name domain_concept_id",
    "CONCEPT_CLASS": "concept_class_id concept_class_name concept_class_concept_id",
    "RELATIONSHIP": "relationship_id relationship_name is_hierarchical defines_ancestry reverse_relationship_id "
    "relationship_concept_id",
    "DRUG_STRENGTH": "drug_concept_id ingredient_concept_id amount_value amount_unit_concept_id numerator_value "
    "numerator_unit_concept_id denominator_value denominator_unit_concept_id box_size valid_start_date "
    "valid_end_date invalid_reason",
}
"""The files and their columns, in Athena's order."""

KOREAN = 4175771
"""The concept of the Korean language."""

Row = tuple[object, ...]


class _Starter:
    """The tables while they grow."""

    def __init__(self) -> None:
        self.tables: dict[str, list[Row]] = {name: [] for name in HEADERS}
        self._next_code = FIRST_CODE
        self._next_metadata = FIRST_METADATA

    def concept(
        self,
        concept_id: int,
        name: str,
        domain: str,
        vocabulary: str,
        concept_class: str,
        standard: str,
        code: str,
        valid: tuple[str, str] = ALWAYS,
        korean: str = "",
    ) -> int:
        dates = tuple(day.replace("-", "") for day in valid)
        row = (concept_id, name, domain, vocabulary, concept_class, standard, code, *dates, "")
        self.tables["CONCEPT"].append(row)
        if korean:
            self.tables["CONCEPT_SYNONYM"].append((concept_id, korean, KOREAN))
        if standard == "S":
            self.relate(concept_id, concept_id, "Maps to", "Mapped from")
        if standard:
            self.tables["CONCEPT_ANCESTOR"].append((concept_id, concept_id, 0, 0))
        return concept_id

    def source(
        self,
        name: str,
        domain: str,
        vocabulary: str,
        concept_class: str,
        code: str,
        valid: tuple[str, str],
        targets: Iterable[tuple[str, str]],
        korean: str = "",
    ) -> None:
        """A code of a source vocabulary and where it leads: pairs of relationship and concept."""
        own = self.concept(self._next_code, name, domain, vocabulary, concept_class, "", code, valid, korean)
        self._next_code += 1
        for relationship, target in targets:
            back = "Mapped from" if relationship == "Maps to" else "Value mapped from"
            self.relate(own, int(target), relationship, back)

    def relate(self, one: int, two: int, forth: str, back: str) -> None:
        dates = (*(day.replace("-", "") for day in ALWAYS), "")
        self.tables["CONCEPT_RELATIONSHIP"] += [(one, two, forth, *dates), (two, one, back, *dates)]

    def metadata(self, name: str, vocabulary: str) -> int:
        self._next_metadata += 1
        return self.concept(self._next_metadata, name, "Metadata", vocabulary, vocabulary, "", "OMOP generated")


def starter_tables() -> dict[str, list[Row]]:
    """All tables of the starter vocabulary: rows in the order of `HEADERS`, dates as YYYYMMDD."""
    starter = _Starter()
    starter.concept(0, "No matching concept", "Metadata", "None", "Undefined", "", "No matching concept")
    korean = {row["concept_id"]: row["name_ko"] for row in rows("concepts")}
    domains = {row["concept_id"]: row["domain"] for row in rows("concepts")}
    for row in rows("concepts"):
        starter.concept(
            int(row["concept_id"]),
            row["name"],
            row["domain"],
            row["vocabulary"],
            row["concept_class"],
            row["standard"],
            row["concept_code"],
            korean=korean[row["concept_id"]],
        )
    starter.concept(KOREAN, "Korean language", "Language", "SNOMED", "Qualifier Value", "S", str(KOREAN))
    _add_condition_codes(starter, domains)
    _add_drug_codes(starter)
    _add_service_codes(starter, domains)
    _add_metadata(starter)
    return starter.tables


def _add_condition_codes(starter: _Starter, domains: dict[str, str]) -> None:
    conditions = {row["key"]: row for row in rows("conditions")}
    known: dict[tuple[str, str], tuple[dict[str, str], str, str]] = {}
    for row in rows("condition_codes"):
        if row["level"] == "none":
            continue
        code, vocabulary, condition = row["code"], "KCD7", conditions[row["condition"]]
        if row["level"] == "parent":
            code = code[:-1]
        if row["level"] == "icd10":
            code, vocabulary = (code if len(code) < 4 else f"{code[:3]}.{code[3:]}"), "ICD10"
        _, first, last = known.get((vocabulary, code), (condition, row["valid_from"], row["valid_to"]))
        known[vocabulary, code] = (condition, min(first, row["valid_from"]), max(last, row["valid_to"]))
    for (vocabulary, code), (condition, first, last) in known.items():
        domain = domains.get(condition["concept_id"], "Condition")
        targets = [("Maps to", condition["concept_id"])]
        starter.source(
            condition["name_en"],
            domain,
            vocabulary,
            f"{vocabulary} code",
            code,
            (first, last),
            targets,
            condition["name_ko"],
        )


def _add_drug_codes(starter: _Starter) -> None:
    drugs = {row["key"]: row for row in rows("drugs")}
    for row in rows("drug_codes"):
        drug = drugs[row["drug"]]
        targets = [("Maps to", drug["concept_id"])] if row["level"] == "exact" else []
        valid = (row["valid_from"], row["valid_to"])
        starter.source(drug["name_en"], "Drug", "KDC", "Drug Product", row["code"], valid, targets, drug["name_ko"])
    atc: dict[str, int] = {}
    strengths: set[int] = set()
    for drug in drugs.values():
        if drug["concept_id"] == "0":
            continue
        code, concept, ingredient = drug["atc"], int(drug["concept_id"]), int(drug["ingredient_concept_id"])
        if code not in atc:
            atc[code] = starter.metadata(code, "ATC")
            made = starter.tables["CONCEPT"].pop()
            starter.tables["CONCEPT"].append(
                (made[0], drug["ingredient"], "Drug", "ATC", "ATC 5th", "C", code, *made[7:])
            )
        starter.tables["CONCEPT_ANCESTOR"].append((atc[code], concept, 1, 1))
        if concept == ingredient:
            continue
        if (atc[code], ingredient, 1, 1) not in starter.tables["CONCEPT_ANCESTOR"]:
            starter.tables["CONCEPT_ANCESTOR"].append((atc[code], ingredient, 1, 1))
        starter.tables["CONCEPT_ANCESTOR"].append((ingredient, concept, 1, 1))
        if concept not in strengths:
            strengths.add(concept)
            starter.tables["DRUG_STRENGTH"].append(_strength(concept, ingredient, drug["amount"], drug["unit"]))


def _strength(concept: int, ingredient: int, amount: str, unit: str) -> Row:
    dates = (*(day.replace("-", "") for day in ALWAYS), "")
    milligram, milliliter = 8576, 8587
    if unit == "mg/mL":
        return (concept, ingredient, "", "", amount, milligram, "", milliliter, "", *dates)
    return (concept, ingredient, amount, milligram, "", "", "", "", "", *dates)


SERVICE_DOMAINS = {"lab": "Measurement", "procedure": "Procedure", "visit_fee": "Observation", "device": "Device"}


def _add_service_codes(starter: _Starter, domains: dict[str, str]) -> None:
    services = {row["key"]: row for row in rows("services")}
    targets: dict[str, list[tuple[str, str]]] = {}
    for row in rows("service_targets"):
        targets.setdefault(row["service"], []).append((row["relationship"], row["concept_id"]))
    for row in rows("service_codes"):
        service = services[row["service"]]
        mine = targets.get(row["service"], [])
        domain = domains[mine[0][1]] if mine else SERVICE_DOMAINS[service["kind"]]
        valid = (row["valid_from"], row["valid_to"])
        names = (service["name_en"], service["name_ko"])
        starter.source(names[0], domain, "EDI", "Fee", row["code"], valid, mine, names[1])


def _add_metadata(starter: _Starter) -> None:
    concepts = starter.tables["CONCEPT"]
    for name, long_name in VOCABULARIES.items():
        version = RELEASE if name == "None" else "subset"
        concept = starter.metadata(long_name, "Vocabulary")
        starter.tables["VOCABULARY"].append((name, long_name, "Madang", version, concept))
    for relationship, name, reverse, hierarchical, ancestry in RELATIONSHIPS:
        concept = starter.metadata(name, "Relationship")
        starter.tables["RELATIONSHIP"].append((relationship, name, hierarchical, ancestry, reverse, concept))
    for domain in sorted({str(row[2]) for row in concepts} | {"Metadata"}):
        starter.tables["DOMAIN"].append((domain, domain, starter.metadata(domain, "Domain")))
    classes = {str(row[4]) for row in concepts} | {"Concept Class"}
    for name in sorted(classes):
        starter.tables["CONCEPT_CLASS"].append((name, name, starter.metadata(name, "Concept Class")))


def starter_files() -> dict[str, str]:
    """The text of each file, by its name."""
    answer = {}
    for name, table in starter_tables().items():
        lines = [HEADERS[name].split(), *table]
        answer[f"{name}.csv"] = "".join("\t".join(map(str, line)) + "\n" for line in lines)
    return answer


def write_starter(folder: Path) -> None:
    """Write the files into `folder`."""
    for name, text in starter_files().items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    from madang.science.omop.starter import starter_path

    write_starter(starter_path())
