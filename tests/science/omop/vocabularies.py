"""Small made-up vocabularies for tests."""

import datetime

import pyarrow as pa
from slow_mapping import World

from madang.lake.engine import Engine
from madang.science.omop.cdm import arrow_schema
from madang.science.omop.vocabulary import Vocabulary

FOREVER = (datetime.date(1970, 1, 1), datetime.date(2099, 12, 31))


def attach(engine: Engine, world: World, schema: str = "vocab") -> Vocabulary:
    """The world as a vocabulary, with its own maps as the table `source_to_concept_map`."""
    concept = [
        [c.concept_id, "name", c.domain_id, c.vocabulary_id, "class", c.standard, c.code, c.starts, c.ends, c.invalid]
        for c in world.concepts
    ]
    edge = [[e.one, e.two, e.relationship, *FOREVER, e.invalid] for e in world.edges]
    maps = [
        [m.code, m.source, m.vocabulary_id, None, m.target, "None", m.starts, m.ends, m.invalid] for m in world.maps
    ]
    engine.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    rows = {"concept": concept, "concept_relationship": edge, "source_to_concept_map": maps}
    for name, data in rows.items():
        arrow = arrow_schema(name)
        columns = list(zip(*data, strict=True)) or [[] for _ in arrow]
        engine.register("given", pa.table([list(column) for column in columns], schema=arrow))
        engine.execute(f"CREATE OR REPLACE TABLE {schema}.{name} AS FROM given")
        engine.unregister("given")
    return Vocabulary(engine, schema, "generated")
