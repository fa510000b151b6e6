"""All distinct source codes of a run looked up at once: code and date -> standard concepts.

`map_codes` answers for every code over all time, in windows within which the answer does not change, so that events
join the result by code and date. The rules, in this order of preference within a window:

1. The holder's own map, where a row of it is valid then, is taken as it stands.
2. The concept of that vocabulary and code: the one valid then, else the nearest earlier, else the first.
3. The fall-backs of `fallbacks.csv`, only for the vocabularies named there, in the order of its steps.

Of 2 and 3 the first that leads to a standard concept wins: a standard concept leads to itself, others by 'Maps to',
and where a concept or its target was retired, over 'Concept replaced by'. 'Maps to value' concepts go with the
targets that can hold a value (Measurement, Observation); the model does not say with which, so each goes with each.
Start dates up to 1970-01-01 and end dates from 2099-12-31 on, which the vocabulary uses for unknown, mean no limit.

tests/science/omop/slow_mapping.py says the same for one code and date in plain Python.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from madang.lake.engine import Engine, quote_text
from madang.science.omop.cdm import DOMAIN_TABLES
from madang.science.omop.vocabulary import CURRENT, MOST_REPLACEMENTS, Vocabulary

LEVELS = ("own map", "exact", "other date", "undotted", "parent code", "other vocabulary", "unmapped")
"""How a code was mapped, nearest first."""

VALUE_DOMAINS = ("Measurement", "Observation")
"""Domains whose tables have value_as_concept_id."""

FIRST_LOCAL_CONCEPT = 2_000_000_000
"""Concept identifiers from here on are never given out by OHDSI: a holder may use them for concepts of its own."""

LONGEST = 20
"""Codes with more characters, dots aside, are looked up as they are only."""

FIRST_DAY, LAST_DAY = "DATE '0001-01-01'", "DATE '9999-12-31'"


@dataclass(frozen=True)
class Fallback:
    """One step that codes of `vocabulary_id` take when the steps before led to no standard concept.

    `how` is `same` (the code as it is), `dots` (its dot inserted after `dot_after` characters, or removed) or `parents`
    (last characters dropped, one by one, down to `shortest`), looked up in `in_vocabulary`. `identity` says whether the
    concept found stands for the source code itself. `pattern` limits the step to codes that match it, if not empty.
    """

    vocabulary_id: str
    step: int
    level: str
    in_vocabulary: str
    how: str
    identity: bool
    shortest: int
    dot_after: int | None
    pattern: str
    explanation: str


@cache
def fallbacks() -> tuple[Fallback, ...]:
    """All declared fall-backs."""
    text = files(__package__).joinpath("fallbacks.csv").read_text(encoding="utf-8")
    return tuple(
        Fallback(
            vocabulary_id=row["vocabulary_id"],
            step=int(row["step"]),
            level=row["level"],
            in_vocabulary=row["in_vocabulary"],
            how=row["how"],
            identity=row["identity"] == "yes",
            shortest=int(row["shortest"]),
            dot_after=int(row["dot_after"]) if row["dot_after"] else None,
            pattern=row["pattern"],
            explanation=row["explanation"],
        )
        for row in csv.DictReader(text.splitlines())
    )


def map_codes(engine: Engine, codes: str, vocabulary: Vocabulary, *, maps: str | None = None) -> None:
    """Map all distinct codes of the relation `codes(vocabulary_id, code)` and make the table `code_map`.

    `maps` names a relation with the columns of SOURCE_TO_CONCEPT_MAP: the holder's own maps. Columns of `code_map`:

    - vocabulary_id, code: as given (rows without either are left out)
    - valid_from, valid_to (DATE): the window, both days included; the windows of a code cover 0001-01-01 to 9999-12-31
    - source_concept_id (BIGINT): the concept that stands for the code itself, 0 where there is none
    - level: one of `LEVELS`
    - k (SMALLINT): 0.. over the targets of the window that go to the same table, by domain and target
    - target_concept_id (BIGINT): a standard concept, 0 where unmapped
    - domain_id: of the target; NULL where unmapped or the target of an own map is not in the vocabulary
    - value_as_concept_id (BIGINT): NULL unless the code says a value, too
    """
    _find_concepts(engine, codes, vocabulary)
    _find_targets(engine, vocabulary)
    _read_own_maps(engine, maps)
    _cut_windows(engine)
    _choose(engine)
    _write(engine, vocabulary)
    engine.execute("; ".join(f"DROP TABLE IF EXISTS {table}" for table in _WORK))


_WORK = (
    *("_map_code", "_map_rule", "_map_near", "_map_found", "_map_replaced", "_map_chain", "_map_edge", "_map_status"),
    *("_map_target", "_map_own", "_map_window", "_map_answer"),
)


def _find_concepts(engine: Engine, codes: str, vocabulary: Vocabulary) -> None:
    """`_map_found`: for each code `n`, the concepts at each `step` (0: its own), if there are any."""
    rules = ", ".join(
        f"({quote_text(r.vocabulary_id)}, {r.step}, {quote_text(r.level)}, {quote_text(r.in_vocabulary)}, "
        f"{quote_text(r.how)}, {r.identity}, {r.shortest}, {r.dot_after or 'NULL'}, {quote_text(r.pattern)})"
        for r in fallbacks()
    )
    columns = (
        "(SELECT vocabulary_id, concept_code, concept_id, invalid_reason, valid_start_date, valid_end_date "
        f"FROM {vocabulary.table('concept')})"
    )
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE _map_code AS
        SELECT row_number() OVER (ORDER BY vocabulary_id, code) AS n, vocabulary_id, code
        FROM (SELECT DISTINCT vocabulary_id, code FROM {codes} WHERE vocabulary_id IS NOT NULL AND code IS NOT NULL);

        CREATE OR REPLACE TEMP TABLE _map_rule AS
        FROM (VALUES {rules}) r(vocabulary_id, step, level, in_vocabulary, how, identity, shortest, dot_after, pattern);

        -- the vocabularies that fall-backs of these codes lead to; few concepts beside the whole
        CREATE OR REPLACE TEMP TABLE _map_near AS
        FROM {columns} WHERE vocabulary_id IN (
            SELECT in_vocabulary FROM _map_rule WHERE vocabulary_id IN (SELECT vocabulary_id FROM _map_code)
        );

        CREATE OR REPLACE TEMP TABLE _map_found AS
        WITH bare AS (
            SELECT n, r.*, code, replace(code, '.', '') AS plain
            FROM _map_code JOIN _map_rule r USING (vocabulary_id)
            WHERE (r.pattern = '' OR regexp_matches(code, r.pattern)) AND (how = 'same' OR len(plain) <= {LONGEST})
        ), cut AS (  -- the lengths to try, longest first
            SELECT *, unnest(CASE how WHEN 'parents' THEN generate_series(len(plain) - 1, shortest, -1)
                                      ELSE [len(plain)] END) AS length
            FROM bare
        ), spelled AS (  -- each with the dot, then without
            SELECT n, step * 1000 + (len(plain) - length) * 2 AS step, level, identity, in_vocabulary,
                CASE WHEN how = 'same' THEN code
                     WHEN length > dot_after THEN plain[:dot_after] || '.' || plain[dot_after + 1:length]
                     ELSE plain[:length] END AS code
            FROM cut
            UNION ALL
            SELECT n, step * 1000 + (len(plain) - length) * 2 + 1, level, identity, in_vocabulary, plain[:length]
            FROM cut WHERE how <> 'same'
        ), found AS (
            SELECT n, 0 AS step, 'exact' AS level, true AS identity, c.* EXCLUDE (vocabulary_id, concept_code)
            FROM _map_code m JOIN {columns} c ON c.vocabulary_id = m.vocabulary_id AND c.concept_code = m.code
            UNION ALL
            SELECT n, step, level, identity, c.* EXCLUDE (vocabulary_id, concept_code)
            FROM spelled s JOIN _map_near c ON c.vocabulary_id = s.in_vocabulary AND c.concept_code = s.code
        )
        SELECT n, step, level, identity, concept_id, coalesce(invalid_reason, '') <> '' AS invalid,
            CASE WHEN valid_start_date > DATE '1970-01-01' THEN valid_start_date ELSE {FIRST_DAY} END AS starts,
            CASE WHEN valid_end_date < DATE '2099-12-31' THEN valid_end_date ELSE {LAST_DAY} END AS ends
        FROM found
        QUALIFY row_number() OVER (PARTITION BY n, concept_id ORDER BY step) = 1;  -- the first to find it has it
    """)


def _find_targets(engine: Engine, vocabulary: Vocabulary) -> None:
    """`_map_target`: for each concept found, the standard concepts and values that it leads to."""
    edges = vocabulary.table("concept_relationship")
    new = "SELECT DISTINCT target AS concept_id FROM _map_edge WHERE target NOT IN (SELECT concept_id FROM _map_chain)"
    domains = ", ".join(quote_text(domain) for domain in VALUE_DOMAINS)
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE _map_replaced AS
        SELECT concept_id_1 AS concept_id, concept_id_2 AS replacement FROM {edges}
        WHERE relationship_id = 'Concept replaced by' AND {CURRENT} AND concept_id_1 <> concept_id_2;

        -- every concept found, and what replaced it, in hops
        CREATE OR REPLACE TEMP TABLE _map_chain AS
        {_chain("SELECT DISTINCT concept_id FROM _map_found")};

        CREATE OR REPLACE TEMP TABLE _map_edge AS
        SELECT DISTINCT concept_id_1 AS concept_id, relationship_id, concept_id_2 AS target FROM {edges}
        WHERE relationship_id IN ('Maps to', 'Maps to value') AND {CURRENT}
            AND concept_id_1 IN (SELECT reached FROM _map_chain);

        -- the same of what these map to
        INSERT INTO _map_chain
        {_chain(new)};

        CREATE OR REPLACE TEMP TABLE _map_status AS
        SELECT concept_id, domain_id FROM {vocabulary.table("concept")}
        WHERE standard_concept = 'S' AND {CURRENT} AND concept_id IN (SELECT reached FROM _map_chain);

        CREATE OR REPLACE TEMP TABLE _map_target AS
        WITH now AS (  -- the standard concepts that a target means today: those the fewest replacements away
            SELECT concept_id, reached AS target, hop
            FROM _map_chain c WHERE reached IN (SELECT concept_id FROM _map_status)
            QUALIFY hop = min(hop) OVER (PARTITION BY concept_id)
        ), step AS (  -- a standard concept leads to itself, any other by 'Maps to'
            SELECT concept_id AS reached, concept_id AS target FROM _map_status
            UNION ALL
            SELECT e.concept_id, now.target FROM _map_edge e JOIN now ON now.concept_id = e.target
            WHERE e.relationship_id = 'Maps to' AND e.concept_id NOT IN (SELECT concept_id FROM _map_status)
        ), lead AS (
            SELECT c.concept_id, c.reached, step.target
            FROM _map_chain c JOIN step USING (reached)
            WHERE c.concept_id IN (SELECT concept_id FROM _map_found)
            QUALIFY c.hop = min(c.hop) OVER (PARTITION BY c.concept_id)
        ), worth AS (
            SELECT e.concept_id AS reached, now.target AS value
            FROM _map_edge e JOIN now ON now.concept_id = e.target WHERE e.relationship_id = 'Maps to value'
        )
        SELECT DISTINCT lead.concept_id, s.domain_id, lead.target, worth.value
        FROM lead JOIN _map_status s ON s.concept_id = lead.target
        LEFT JOIN worth ON worth.reached = lead.reached AND s.domain_id IN ({domains});

        ALTER TABLE _map_found ADD COLUMN mapped BOOLEAN;
        UPDATE _map_found SET mapped = concept_id IN (SELECT concept_id FROM _map_target);
    """)


def _chain(start: str) -> str:
    """SELECT of concept_id, hop, reached: each concept of `start` and what replaced it, up to the most hops."""
    return f"""
        WITH RECURSIVE chain AS (
            SELECT concept_id, 0 AS hop, concept_id AS reached FROM ({start})
            UNION
            SELECT c.concept_id, c.hop + 1, r.replacement FROM chain c JOIN _map_replaced r ON r.concept_id = c.reached
            WHERE c.hop < {MOST_REPLACEMENTS}
        )
        SELECT concept_id, min(hop) AS hop, reached FROM chain GROUP BY concept_id, reached
    """


def _read_own_maps(engine: Engine, maps: str | None) -> None:
    """`_map_own`: the rows of the holder's own maps that concern these codes."""
    source = maps or (
        "(SELECT NULL::VARCHAR AS source_vocabulary_id, NULL::VARCHAR AS source_code, 0 AS source_concept_id, "
        "0 AS target_concept_id, NULL::DATE AS valid_start_date, NULL::DATE AS valid_end_date, "
        "NULL::VARCHAR AS invalid_reason WHERE false)"
    )
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE _map_own AS
        SELECT DISTINCT n,
            nullif(source_concept_id, 0)::BIGINT AS source, coalesce(target_concept_id, 0)::BIGINT AS target,
            CASE WHEN valid_start_date > DATE '1970-01-01' THEN valid_start_date::DATE ELSE {FIRST_DAY} END AS starts,
            CASE WHEN valid_end_date < DATE '2099-12-31' THEN valid_end_date::DATE ELSE {LAST_DAY} END AS ends
        FROM {source} m JOIN _map_code c ON c.vocabulary_id = m.source_vocabulary_id AND c.code = m.source_code
        WHERE {CURRENT};
    """)


def _cut_windows(engine: Engine) -> None:
    """`_map_window`: for each code, all time cut wherever the answer may change.

    A step all of whose concepts are mapped makes the later steps superfluous, and a fall-back step with one concept
    answers the same on every date, so neither cuts.
    """
    engine.execute(f"""
        DELETE FROM _map_found USING (
            SELECT n, min(step) AS step FROM (
                SELECT n, step, bool_and(mapped) AS mapped FROM _map_found GROUP BY n, step
            ) WHERE mapped GROUP BY n
        ) enough
        WHERE _map_found.n = enough.n AND _map_found.step > enough.step AND NOT identity;

        CREATE OR REPLACE TEMP TABLE _map_window AS
        WITH dated AS (
            SELECT n, starts, ends FROM _map_own WHERE starts <= ends
            UNION ALL
            SELECT n, starts, ends FROM _map_found
            QUALIFY step = 0 OR count(*) OVER (PARTITION BY n, step) > 1
        ), cut AS (
            SELECT n, {FIRST_DAY} AS starts FROM _map_code
            UNION SELECT n, starts FROM dated
            UNION SELECT n, ends + 1 FROM dated WHERE ends < {LAST_DAY}
        )
        SELECT n, starts, coalesce(lead(starts) OVER (PARTITION BY n ORDER BY starts) - 1, {LAST_DAY})::DATE AS ends
        FROM cut;
    """)


def _choose(engine: Engine) -> None:
    """`_map_answer`: for each code, windows with one answer: level, source concept, concept mapped by or own targets.

    A concept whose dates are the wrong way round is never valid; it counts as ended on its last day.
    """
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE _map_answer AS
        WITH near AS (  -- per window and step the concept nearest to the window
            SELECT w.n, w.starts, f.step, f.identity, f.concept_id, f.mapped,
                CASE WHEN f.step = 0 AND w.starts NOT BETWEEN f.starts AND f.ends THEN 'other date'
                     ELSE f.level END AS level
            FROM _map_window w JOIN _map_found f USING (n)
            QUALIFY row_number() OVER (
                PARTITION BY w.n, w.starts, f.step
                ORDER BY CASE WHEN w.starts BETWEEN f.starts AND f.ends THEN 0
                              WHEN f.ends < w.starts THEN 1 ELSE 2 END,
                    CASE WHEN w.starts BETWEEN f.starts AND f.ends THEN {FIRST_DAY} - f.starts
                         WHEN f.ends < w.starts THEN {FIRST_DAY} - f.ends
                         ELSE f.starts - {FIRST_DAY} END,
                    CASE WHEN f.ends < w.starts THEN {FIRST_DAY} - f.starts ELSE 0 END,
                    f.invalid, f.concept_id
            ) = 1
        ), first AS (
            SELECT n, starts,
                arg_min(concept_id, step) FILTER (identity) AS source,
                arg_min(concept_id, step) FILTER (mapped) AS via,
                arg_min(level, step) FILTER (mapped) AS level
            FROM near GROUP BY n, starts
        ), own AS (
            SELECT w.n, w.starts, min(o.source) AS source, list_sort(list_distinct(list(o.target))) AS targets
            FROM _map_window w JOIN _map_own o ON o.n = w.n AND w.starts BETWEEN o.starts AND o.ends
            GROUP BY w.n, w.starts
        ), answered AS (
            SELECT n, w.starts, w.ends, own.targets AS own, CASE WHEN own.targets IS NULL THEN first.via END AS via,
                coalesce(own.source, first.source, 0) AS source,
                CASE WHEN own.targets IS NOT NULL THEN 'own map' ELSE coalesce(first.level, 'unmapped') END AS level
            FROM _map_window w
            LEFT JOIN first USING (n, starts) LEFT JOIN own USING (n, starts)
        ), island AS (  -- neighboring windows with the same answer are one
            SELECT *, sum(CASE WHEN same THEN 0 ELSE 1 END) OVER (PARTITION BY n ORDER BY starts) AS number
            FROM (
                SELECT *, (own, via, source, level) IS NOT DISTINCT FROM
                    lag((own, via, source, level)) OVER (PARTITION BY n ORDER BY starts) AS same
                FROM answered
            )
        )
        SELECT n, min(starts) AS valid_from, max(ends) AS valid_to, any_value(own) AS own, any_value(via) AS via,
            any_value(source) AS source, any_value(level) AS level
        FROM island GROUP BY n, number;
    """)


def _write(engine: Engine, vocabulary: Vocabulary) -> None:
    """`code_map`: the answers with their targets, numbered."""
    tables = " ".join(f"WHEN domain_id = {quote_text(of)} THEN {quote_text(to)}" for of, to in DOMAIN_TABLES.items())
    engine.execute(f"""
        CREATE OR REPLACE TABLE code_map AS
        WITH own AS (  -- target 0 says 'unmapped' only where it is the only one
            SELECT n, valid_from, target
            FROM (SELECT n, valid_from, unnest(own) AS target FROM _map_answer WHERE own IS NOT NULL)
            QUALIFY target <> 0 OR count(*) OVER (PARTITION BY n, valid_from) = 1
        ), target AS (
            SELECT n, valid_from, target, domain_id, NULL::BIGINT AS value
            FROM own LEFT JOIN {vocabulary.table("concept")} c ON c.concept_id = own.target AND own.target <> 0
            UNION ALL
            SELECT n, valid_from, target, domain_id, value FROM _map_answer a JOIN _map_target t ON t.concept_id = a.via
        ), numbered AS (  -- targets of unknown domain come after all others, wherever those go
            SELECT *, CASE WHEN domain_id IS NULL THEN count(domain_id) OVER (PARTITION BY n, valid_from) ELSE 0 END
                + row_number() OVER (
                    PARTITION BY n, valid_from, CASE WHEN domain_id IS NULL THEN '' {tables} ELSE 'observation' END
                    ORDER BY domain_id, target, value NULLS FIRST
                ) - 1 AS k
            FROM target
        )
        SELECT c.vocabulary_id, c.code, a.valid_from, a.valid_to, a.source::BIGINT AS source_concept_id, a.level,
            coalesce(t.k, 0)::SMALLINT AS k, coalesce(t.target, 0)::BIGINT AS target_concept_id, t.domain_id,
            t.value::BIGINT AS value_as_concept_id
        FROM _map_answer a JOIN _map_code c USING (n) LEFT JOIN numbered t USING (n, valid_from);
    """)
