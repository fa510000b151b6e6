"""Whom an application asks for: lists of codes, and a definition of ATLAS where there is one."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from madang.lake import Version
from madang.lake.engine import Engine
from madang.science.privacy.population import Population, population_of

MEMBERS = "_members_of_the_definition"


def population_in(engine: Engine, version: Version, given: Mapping[str, Any]) -> Population:
    """The population of an application, in an engine that has `version` attached.

    Errors: `privacy.population`, `cohort.*` of the definition.
    """
    population = population_of(given)
    if not given.get("atlas"):
        return population
    import pyarrow as pa

    from madang.science.cohorts.definition import of_bytes
    from madang.services.cohorts import count_population

    definition = of_bytes(str(given["atlas"]).encode(), "population")
    found = count_population(version, definition, subjects=True)
    engine.register(MEMBERS, pa.table({"person_id": pa.array(found.subjects, pa.int64())}))
    return replace(population, among=MEMBERS)
