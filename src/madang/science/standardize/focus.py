"""The part of a vocabulary that a run needs, in memory: a full one has tens of millions of rows, asked many times."""

from madang.lake.engine import Engine, quote_name, quote_text
from madang.science.omop.mapping import fallbacks
from madang.science.omop.vocabulary import Vocabulary

SCHEMA = "_focus"
_RELATIONS = "('Maps to', 'Maps to value', 'Concept replaced by')"


class Focus:
    """Copies the concepts of the vocabularies that codes come from, their fall-backs, and all that they lead to.

    `vocabulary` is the copy, as `map_codes` wants it; it answers for the vocabularies that `widen` was told of.
    """

    def __init__(self, engine: Engine, whole: Vocabulary, maps: str | None) -> None:
        self.engine, self.whole = engine, whole
        self.vocabulary = Vocabulary(engine, SCHEMA, whole.release)
        self._known: set[str] = set()
        engine.execute(f"CREATE SCHEMA IF NOT EXISTS {quote_name(SCHEMA)}")
        for table in ("concept", "concept_relationship"):
            copy = self.vocabulary.table(table)
            engine.execute(f"CREATE OR REPLACE TABLE {copy} AS FROM {whole.table(table)} LIMIT 0")
        if maps:
            self._add(f"concept_id IN (SELECT target_concept_id FROM {maps})")

    def widen(self, vocabularies: set[str]) -> None:
        """See to it that these vocabularies are in the copy."""
        reached = vocabularies | {f.in_vocabulary for f in fallbacks() if f.vocabulary_id in vocabularies}
        new = reached - self._known
        if new:
            self._known |= new
            self._add(f"vocabulary_id IN ({', '.join(map(quote_text, sorted(new)))})")

    def _add(self, which: str) -> None:
        """Copy concepts, their mapping relationships, and the concepts at the other end, until nothing is new."""
        concept, relationship = (self.vocabulary.table(t) for t in ("concept", "concept_relationship"))
        all_concepts, all_relationships = (self.whole.table(t) for t in ("concept", "concept_relationship"))
        fresh = f"SELECT * FROM {all_concepts} WHERE {which} AND concept_id NOT IN (SELECT concept_id FROM {concept})"
        while True:
            self.engine.execute(f"CREATE OR REPLACE TEMP TABLE _fresh AS {fresh}; INSERT INTO {concept} FROM _fresh")
            if not self.engine.value("SELECT count(*) FROM _fresh"):
                return
            self.engine.execute(
                f"INSERT INTO {relationship} SELECT r.* FROM {all_relationships} r "
                f"SEMI JOIN _fresh f ON f.concept_id = r.concept_id_1 WHERE r.relationship_id IN {_RELATIONS}"
            )
            fresh = (
                f"SELECT * FROM {all_concepts} WHERE concept_id IN (SELECT concept_id_2 FROM {relationship}) "
                f"AND concept_id NOT IN (SELECT concept_id FROM {concept})"
            )
