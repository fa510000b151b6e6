"""What differs between two releases of a vocabulary, as far as it matters to data that were mapped with the old one."""

from dataclasses import dataclass

from madang.lake.engine import Engine
from madang.science.omop.vocabulary import CURRENT, Vocabulary

KINDS = ("added", "removed", "retired", "restored", "moved domain", "standard changed", "targets changed")
"""What may happen to a concept between two releases."""


@dataclass(frozen=True)
class Change:
    """One change of one concept; `before` and `after` are domains, standards or lists of targets."""

    kind: str
    vocabulary_id: str
    concept_id: int
    code: str
    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Changes:
    """All changes between two attached releases, kept as the table `vocabulary_changes` of the engine."""

    engine: Engine

    def counts(self) -> list[tuple[str, str, int]]:
        """Kind, vocabulary and number of concepts; in the order of `KINDS`, largest first."""
        rows = self.engine.rows("SELECT kind, vocabulary_id, count(*) FROM vocabulary_changes GROUP BY ALL")
        return sorted(rows, key=lambda row: (KINDS.index(row[0]), -row[2], row[1]))

    def of_kind(self, kind: str, limit: int) -> list[Change]:
        """The first changes of a kind, by vocabulary and code."""
        rows = self.engine.rows(
            "FROM vocabulary_changes WHERE kind = ? ORDER BY vocabulary_id, code, concept_id LIMIT ?", [kind, limit]
        )
        return [Change(*row) for row in rows]


def compare(old: Vocabulary, new: Vocabulary) -> Changes:
    """Find all changes from `old` to `new`, both attached to the same engine under different schemas.

    A concept may change in several ways at once. Targets are those of valid 'Maps to' relationships.
    """
    here, there = _mapped(old), _mapped(new)
    new.engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE vocabulary_changes AS
        WITH pair AS (
            SELECT concept_id, coalesce(n.vocabulary_id, o.vocabulary_id) AS vocabulary_id,
                coalesce(n.concept_code, o.concept_code) AS code, coalesce(n.concept_name, o.concept_name) AS name,
                o.domain_id AS was_domain, n.domain_id AS domain, o.standard_concept AS was_standard,
                n.standard_concept AS standard, nullif(o.invalid_reason, '') AS was_invalid,
                nullif(n.invalid_reason, '') AS invalid
            FROM {old.table("concept")} o FULL JOIN {new.table("concept")} n USING (concept_id)
            WHERE (was_domain, was_standard, was_invalid) IS DISTINCT FROM (domain, standard, invalid)
        ), kept AS (
            FROM pair WHERE was_domain IS NOT NULL AND domain IS NOT NULL
        ), remapped AS (
            SELECT concept_id, string_agg(target, ' ' ORDER BY target) FILTER (was) AS before,
                string_agg(target, ' ' ORDER BY target) FILTER (NOT was) AS after
            FROM (SELECT *, true AS was FROM {here} UNION ALL SELECT *, false FROM {there})
            WHERE concept_id IN (
                SELECT concept_id FROM (FROM {here} EXCEPT FROM {there})
                UNION SELECT concept_id FROM (FROM {there} EXCEPT FROM {here})
            )
            GROUP BY concept_id
        ), change AS (
            SELECT 'added' AS kind, vocabulary_id, concept_id, code, name, was_domain AS before, domain AS after
            FROM pair WHERE was_domain IS NULL
            UNION ALL
            SELECT 'removed', vocabulary_id, concept_id, code, name, was_domain, domain FROM pair WHERE domain IS NULL
            UNION ALL
            SELECT CASE WHEN invalid IS NULL THEN 'restored' ELSE 'retired' END, vocabulary_id, concept_id, code, name,
                was_invalid, invalid
            FROM kept WHERE (was_invalid IS NULL) <> (invalid IS NULL)
            UNION ALL
            SELECT 'moved domain', vocabulary_id, concept_id, code, name, was_domain, domain
            FROM kept WHERE was_domain <> domain
            UNION ALL
            SELECT 'standard changed', vocabulary_id, concept_id, code, name, was_standard, standard
            FROM kept WHERE was_standard IS DISTINCT FROM standard
            UNION ALL
            SELECT 'targets changed', vocabulary_id, concept_id, concept_code, concept_name, before, after
            FROM remapped JOIN {new.table("concept")} USING (concept_id)
            WHERE concept_id IN (SELECT concept_id FROM {old.table("concept")})
        )
        FROM change
    """)
    return Changes(new.engine)


def _mapped(vocabulary: Vocabulary) -> str:
    """SQL relation of concept and target."""
    return (
        f"(SELECT concept_id_1 AS concept_id, concept_id_2 AS target FROM {vocabulary.table('concept_relationship')} "
        f"WHERE relationship_id = 'Maps to' AND {CURRENT})"
    )
