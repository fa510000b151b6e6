"""The demo company's permit on data with an effect that can be found, and the study that finds it.

The people, their diseases and treatments are those of the product's own simulation (`madang.science.synthesis`), whose
table of effects says that drugs for diabetes multiply the hazard of kidney disease by 0.70. They are written as tables
of the CDM at once, so that there can be as many as such an effect needs: the demo's 500 have three cases.
"""

import numpy as np
import pyarrow as pa

from madang.app.commands import demo_portal
from madang.base.progress import Silent
from madang.lake.engine import Engine
from madang.node.node import Node
from madang.node.people.models import Permit
from madang.science.synthesis.catalog import keys, rows
from madang.science.synthesis.health import draw_health, effect
from madang.science.synthesis.lives import CHUNK
from madang.science.synthesis.people import draw_people
from madang.services.access import demo
from portal_house import work_off

EFFECT = float(np.log(effect("treated_diabetes", "kidney_disease")))
FIRST, LAST, SEED = 2009, 2013, 20
METFORMIN = 1503297


DATA = """
import pandas as pd
people = sql('''
WITH c AS (SELECT person_id, condition_source_value AS code, condition_start_date AS day FROM condition_occurrence),
ill AS (SELECT person_id, min(day) AS begun FROM c WHERE code LIKE 'E11%' GROUP BY 1),
kidney AS (SELECT person_id, min(day) AS day FROM c WHERE code LIKE 'N18%' GROUP BY 1),
arms AS (SELECT person_id, begun + INTERVAL 6 MONTH AS start, EXISTS (FROM drug_exposure x WHERE
  x.person_id = ill.person_id AND drug_concept_id = 1503297 AND drug_exposure_start_date < begun + INTERVAL 6 MONTH)
  AS treated FROM ill)
SELECT person_id, treated::INT AS treated, 2009 - year_of_birth AS age, (gender_concept_id = 8532)::INT AS female,
  date_diff('day', start, least(day, DATE '2013-12-31')) / 365.25 AS years, (day IS NOT NULL)::INT AS failed
FROM arms JOIN person USING (person_id) LEFT JOIN kidney USING (person_id)
WHERE (day IS NULL OR day > start) AND start < DATE '2013-12-31'
''').df()
people.treated.value_counts()
"""
TABLE_1 = """
visits = sql("SELECT person_id, count(*) AS visits FROM visit_occurrence GROUP BY 1").df()
had = sql('''SELECT DISTINCT person_id, condition_source_value ||
  if(condition_start_date < DATE '2011-01-01', ' before 2011', ' from 2011') AS code FROM condition_occurrence''').df()
common = had.code.value_counts().index[:30]
had = had[had.code.isin(common)].assign(had=1).pivot(index="person_id", columns="code", values="had")
whole = people.merge(visits, how="left", on="person_id").merge(had.fillna(0), how="left", on="person_id").fillna(0)
for decade in range(40, 110, 10):
    whole[f"{decade} or older"] = whole.age >= decade
named = ["age", *(f"{decade} or older" for decade in range(40, 110, 10)), "female", "visits", *had.columns]
table_1 = whole.astype({"female": float}).groupby("treated")[named].agg(["mean", "std"]).T.unstack().reindex(named)
table_1.columns = [f"{'treated' if arm else 'not treated'}, {what}" for arm, what in table_1.columns]
table_1
"""
CURVE = """
import matplotlib.pyplot as plt
from lifelines import KaplanMeierFitter
figure, axes = plt.subplots()
for arm, some in people.groupby("treated"):
    KaplanMeierFitter().fit(some.years, some.failed, label="treated" if arm else "not treated").plot(ax=axes)
axes.set_xlabel("years"); axes.set_ylabel("without kidney disease");
"""
COX = """
from lifelines import CoxPHFitter
cox = CoxPHFitter().fit(people[["years", "failed", "treated", "age", "female"]], "years", "failed")
print(f"{cox.params_['treated']:.3f} {cox.standard_errors_['treated']:.3f}")
"""
KEPT = "people.to_csv('/workspace/people.csv', index=False)"
R = """%%R
library(survival)
people <- read.csv("/workspace/people.csv")
cox <- coxph(Surv(years, failed) ~ treated + age + female, data = people)
cat(round(coef(cox)["treated"], 3), round(sqrt(vcov(cox)["treated", "treated"]), 3), "\\n")
plot(survfit(Surv(years, failed) ~ treated, data = people), xlab = "years", ylim = c(0.8, 1))
"""


def make(node: Node, persons: int) -> str:
    """The demo's people and its insurer's data about `persons` who are 45 or older; the number of its permit."""
    demo_portal._people(node)
    dataset = node.home.lake().dataset("demo-insurer")
    tables = _tables(persons)
    with Engine() as engine, dataset.write(None) as writer:
        for name, table in tables.items():
            engine.register("given", table)
            path = writer.new_file(name)
            engine.copy_to_parquet("SELECT * FROM given", path)
            writer.add(name, path)
        writer.commit("import", {"report": {}})
    demo_portal.begin_record(node, "demo-insurer")
    work_off(node)
    demo_portal._publish(node, "demo-insurer")  # nobody applies for what is in no catalog
    demo.make(node, Silent())
    with node.read() as session:
        return str(session.query(Permit).one().number)


def _tables(persons: int) -> dict[str, pa.Table]:
    codes = {row["condition"]: row["code"] for row in rows("condition_codes")}
    concepts = {row["key"]: int(row["concept_id"] or 0) for row in rows("conditions")}
    chronic = keys("chronic")
    parts: dict[str, list[pa.Table]] = {"person": [], "condition_occurrence": [], "drug_exposure": []}
    count = chunk = 0
    while count < persons:
        drawn = draw_people(SEED, chunk, chunk * CHUNK + 1, CHUNK, FIRST, LAST)
        health = draw_health(SEED, chunk, drawn, LAST)
        chunk += 1
        born = 1970 + drawn.birth // 365.2425
        who = np.flatnonzero((born <= FIRST - 45) & (health.death > _day(FIRST)))[: persons - count]
        number = np.arange(count + 1, count + len(who) + 1)
        count += len(who)
        sex = np.where(drawn.sex[who] == 1, 8507, 8532)
        parts["person"].append(
            pa.table(
                {
                    "person_id": number,
                    "gender_concept_id": sex,
                    "year_of_birth": born[who].astype(np.int64),
                    "month_of_birth": number % 12 + 1,
                    "location_id": number % 17 + 1,
                }
            )
        )
        for column, name in enumerate(chronic):
            for year in range(FIRST, LAST + 1):  # each disease and its drug are written down once in every year
                who_ill, ill_on = _seen(number, health.onset[who, column], year)
                parts["condition_occurrence"].append(
                    pa.table(
                        {
                            "person_id": who_ill,
                            "condition_concept_id": np.full(len(who_ill), concepts.get(name, 0)),
                            "condition_source_value": np.full(len(who_ill), codes.get(name, name)),
                            "condition_start_date": ill_on,
                        }
                    )
                )
                if name != "diabetes":
                    continue
                takes, taken_on = _seen(number, health.treated[who, column], year)
                parts["drug_exposure"].append(
                    pa.table(
                        {
                            "person_id": takes,
                            "drug_concept_id": np.full(len(takes), METFORMIN),
                            "drug_source_value": np.full(len(takes), "640128440"),
                            "drug_exposure_start_date": taken_on,
                            "days_supply": np.full(len(takes), 60),
                        }
                    )
                )
    made = {name: pa.concat_tables(each) for name, each in parts.items()}
    for name in ("condition_occurrence", "drug_exposure"):
        made[name] = made[name].add_column(0, f"{name}_id", pa.array(np.arange(len(made[name])) + 1))
    ill = made["condition_occurrence"]
    made["visit_occurrence"] = pa.table(
        {
            "visit_occurrence_id": np.arange(len(ill)) + 1,
            "person_id": ill["person_id"],
            "visit_concept_id": np.full(len(ill), 9202),
            "visit_start_date": ill["condition_start_date"],
            "visit_end_date": ill["condition_start_date"],
        }
    )
    everybody = made["person"]["person_id"]
    made["observation_period"] = pa.table(
        {
            "observation_period_id": everybody,
            "person_id": everybody,
            "observation_period_start_date": _dates(np.full(count, _day(FIRST))),
            "observation_period_end_date": _dates(np.full(count, _day(LAST + 1) - 1)),
            "period_type_concept_id": np.full(count, 32813),
        }
    )
    return made


def _day(year: int) -> int:
    return int((np.datetime64(f"{year}-01-01") - np.datetime64("1970-01-01")).astype(int))


def _seen(number: np.ndarray, since: np.ndarray, year: int) -> tuple[np.ndarray, pa.Array]:
    """Who has something in a year, of those with these numbers and days of its beginning, and when it is seen first."""
    has = since < _day(year + 1)
    return number[has], _dates(np.maximum(since[has], _day(year)))


def _dates(days: np.ndarray) -> pa.Array:
    """Days since 1970 as dates."""
    return pa.array(days.astype(np.int32), pa.int32()).cast(pa.date32())
