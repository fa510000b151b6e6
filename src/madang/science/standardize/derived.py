"""Tables that are computed from the others: observation periods where the source states none, and eras.

Eras follow the model's convention: records of one person and concept with at most 30 days between them are one era.
All SELECTs read relations named like the CDM tables, and give the columns of their table in order.
"""

from datetime import date

from madang.lake.engine import Engine
from madang.science.standardize.entities import table_sql

GAP_DAYS = 30

# What shows that a person was under observation: (table, first date, last date).
_SPANS = (
    ("visit_occurrence", "visit_start_date", "visit_end_date"),
    ("condition_occurrence", "condition_start_date", "condition_start_date"),
    ("drug_exposure", "drug_exposure_start_date", "drug_exposure_start_date"),
    ("procedure_occurrence", "procedure_date", "procedure_date"),
    ("device_exposure", "device_exposure_start_date", "device_exposure_start_date"),
    ("measurement", "measurement_date", "measurement_date"),
    ("observation", "observation_date", "observation_date"),
)


FAR = "DATE '9000-01-01'"
"""What is dated from here on is a filler that says "not ended yet", as 9999-12-31, and no day."""
FAR_YEARS = 50
"""So is what lies so many years after the extract, as 2999-12-31 or 2099-12-31."""


def far(extract: date | None) -> str:
    """The first day that is a filler, as SQL; data whose days are shifted have no day of an extract to go by."""
    year = extract.year + FAR_YEARS if extract else 9000
    return FAR if year >= 9000 else f"DATE '{year}-01-01'"


def newest_date(engine: Engine, today: date) -> date | None:
    """The last day of any record up to today: of an extract whose day is not told it is the best guess."""
    found = " UNION ALL ".join(
        f"SELECT max({column}) AS day FROM {table} WHERE {column} <= DATE '{today}'"
        for table, first, last in _SPANS
        for column in dict.fromkeys((first, last))
    )
    newest: date | None = engine.value(f"SELECT max(day) FROM ({found})")
    return newest


def observation_period_sql(
    extract: date | None, type_concept_id: int, *, dead: str = "", told: bool = True, born: str = ""
) -> str:
    """One period per person from the first record to death, or else to the extract (without one: the last record).

    Fillers are no records, at either end: of persons in the relation `born` (person_id, year_of_birth) records count
    from the year before birth on, unless they have no others. `dead` is a relation of the persons who died on a day
    that nobody tells: their period ends with their last record. `told` says that the day of the extract is the
    holder's, so that records after it count; otherwise it is the newest of all records, and what lies after it is no
    day.
    """
    horizon = far(extract) if told or extract is None else f"least({FAR}, DATE '{extract}' + 1)"
    persons = f"LEFT JOIN {born} USING (person_id)" if born else ""
    alive = "year({first}) >= year_of_birth - 1" if born else "TRUE"
    spans = " UNION ALL ".join(
        f"SELECT person_id, min({first}) FILTER ({first} < {horizon}) AS any_first, "
        f"min({first}) FILTER ({first} < {horizon} AND {alive.format(first=first)}) AS first, "
        f"max({last}) FILTER ({last} < {horizon}) AS last FROM {table} {persons} GROUP BY person_id"
        for table, first, last in _SPANS
    )
    end = f"DATE '{extract}'" if extract else "s.last"
    end = f"CASE WHEN dead.person_id IS NOT NULL THEN s.last ELSE {end} END" if dead else end
    unknown = f"LEFT JOIN (SELECT DISTINCT person_id FROM {dead}) dead USING (person_id)" if dead else ""
    relation = f"""(
        SELECT row_number() OVER (ORDER BY person_id) AS n, person_id, s.first,
               greatest(s.first, coalesce(d.death_date, {end})) AS until
        FROM (SELECT person_id, coalesce(min(first), min(any_first)) AS first, max(last) AS last
              FROM ({spans}) GROUP BY person_id) s
        LEFT JOIN (SELECT person_id, min(death_date) AS death_date FROM death WHERE death_date < {FAR}
                   GROUP BY person_id) d
        USING (person_id) {unknown} WHERE s.first IS NOT NULL)"""
    return table_sql(
        "observation_period",
        {
            "observation_period_id": "n",
            "person_id": "person_id",
            "observation_period_start_date": "first",
            "observation_period_end_date": "until",
            "period_type_concept_id": str(type_concept_id),
        },
        relation,
    )


def _islands(spans: str, keys: str, gap: int = GAP_DAYS) -> str:
    """Merge spans (`keys`, first, last) whose next one starts at most `gap` days after the last end.

    Gives per island: first, last, n (its spans), gaps (the sum of days between an end and a later start inside it).
    All spans are sorted once. Only those that begin after everything before has ended matter from then on; what an
    island sums up to is the difference of running sums at its start and at the start of the next.
    """
    return f"""
        SELECT {keys}, first, coalesce(lead(reach) OVER s, ends) AS last,
               (coalesce(lead(spans) OVER s, all_spans) - spans)::INTEGER AS n,
               (coalesce(lead(sum_gaps - gap) OVER s, all_gaps) - sum_gaps)::INTEGER AS gaps
        FROM (
            SELECT *, coalesce(first - reach, 0) AS gap, sum(coalesce(first - reach, 0)) OVER so_far AS sum_gaps,
                   sum(coalesce(first - reach, 0)) OVER whole AS all_gaps
            FROM (
                SELECT *, max(last) OVER before AS reach, count(*) OVER before AS spans,
                       max(last) OVER whole AS ends, count(*) OVER whole AS all_spans
                FROM ({spans})
                WINDOW before AS (PARTITION BY {keys} ORDER BY first, last
                                  ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
                       whole AS (PARTITION BY {keys} ORDER BY first, last
                                 ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING))
            WHERE reach IS NULL OR first > reach
            WINDOW so_far AS (PARTITION BY {keys} ORDER BY first ROWS UNBOUNDED PRECEDING),
                   whole AS (PARTITION BY {keys} ORDER BY first
                             ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING))
        WHERE reach IS NULL OR first > reach + {gap}
        WINDOW s AS (PARTITION BY {keys} ORDER BY first)"""


def condition_era_sql(far: str = FAR) -> str:
    """CONDITION_ERA from CONDITION_OCCURRENCE; a condition without an end lasts one day. Fillers from `far` on."""
    spans = f"""
        SELECT person_id, condition_concept_id, condition_start_date AS first,
               greatest(condition_start_date, CASE WHEN condition_end_date < {far} THEN condition_end_date
                                                   ELSE condition_start_date + 1 END) AS last
        FROM condition_occurrence WHERE condition_concept_id <> 0 AND condition_start_date < {far}"""
    return table_sql(
        "condition_era",
        {
            "condition_era_id": "row_number() OVER (ORDER BY person_id, condition_concept_id, first)",
            "person_id": "person_id",
            "condition_concept_id": "condition_concept_id",
            "condition_era_start_date": "first",
            "condition_era_end_date": "last",
            "condition_occurrence_count": "n",
        },
        f"({_islands(spans, 'person_id, condition_concept_id')})",
    )


def _ingredients(vocabulary: str) -> str:
    return f"""(
        SELECT a.descendant_concept_id AS drug_concept_id, a.ancestor_concept_id AS ingredient
        FROM {vocabulary}.concept_ancestor a JOIN {vocabulary}.concept c ON c.concept_id = a.ancestor_concept_id
        WHERE c.concept_class_id = 'Ingredient' AND c.vocabulary_id IN ('RxNorm', 'RxNorm Extension')
          AND c.standard_concept = 'S'
          AND a.descendant_concept_id IN (SELECT DISTINCT drug_concept_id FROM drug_exposure))"""


def drug_era_sql(vocabulary: str, far: str = FAR) -> str:
    """DRUG_ERA from DRUG_EXPOSURE by ingredient; `gap_days` are the days of an era without exposure. An exposure whose
    end is a filler (from `far` on) lasts one day."""
    # `last` is the day after the exposure, so that gaps are the days without any.
    spans = f"""
        SELECT person_id, ingredient, drug_exposure_start_date AS first,
               CASE WHEN drug_exposure_end_date < {far} THEN drug_exposure_end_date
                    ELSE drug_exposure_start_date END + 1 AS last
        FROM drug_exposure JOIN {_ingredients(vocabulary)} USING (drug_concept_id)
        WHERE drug_exposure_start_date < {far}"""
    return table_sql(
        "drug_era",
        {
            "drug_era_id": "row_number() OVER (ORDER BY person_id, ingredient, first)",
            "person_id": "person_id",
            "drug_concept_id": "ingredient",
            "drug_era_start_date": "first",
            "drug_era_end_date": "last - 1",
            "drug_exposure_count": "n",
            "gap_days": "gaps",
        },
        f"({_islands(spans, 'person_id, ingredient', gap=GAP_DAYS - 1)})",
    )


def dose_era_sql(vocabulary: str, far: str = FAR) -> str:
    """DOSE_ERA: spans of one ingredient at one daily dose, where strength, quantity and days of supply are known."""
    spans = f"""
        SELECT person_id, s.ingredient_concept_id AS ingredient, s.amount_unit_concept_id AS unit,
               round(e.quantity * s.amount_value / greatest(e.days_supply, 1), 6) AS dose,
               e.drug_exposure_start_date AS first,
               CASE WHEN e.drug_exposure_end_date < {far} THEN e.drug_exposure_end_date
                    ELSE e.drug_exposure_start_date END AS last
        FROM drug_exposure e JOIN {vocabulary}.drug_strength s USING (drug_concept_id)
        WHERE e.drug_exposure_start_date < {far} AND s.amount_value > 0
          AND s.amount_unit_concept_id IS NOT NULL AND e.quantity > 0 AND e.days_supply > 0"""
    return table_sql(
        "dose_era",
        {
            "dose_era_id": "row_number() OVER (ORDER BY person_id, ingredient, unit, dose, first)",
            "person_id": "person_id",
            "drug_concept_id": "ingredient",
            "unit_concept_id": "unit",
            "dose_value": "dose",
            "dose_era_start_date": "first",
            "dose_era_end_date": "last",
        },
        f"({_islands(spans, 'person_id, ingredient, unit, dose')})",
    )


def derived_sql(vocabulary: str, engine: Engine, extract: date | None = None) -> dict[str, str]:
    """The SELECT of each era table that this vocabulary allows."""
    last = far(extract)
    eras = {"condition_era": condition_era_sql(last), "drug_era": drug_era_sql(vocabulary, last)}
    if engine.value(f"SELECT count(*) FROM {vocabulary}.drug_strength"):
        eras["dose_era"] = dose_era_sql(vocabulary, last)
    return eras
