"""A synthetic trial with a planted effect, and the cells of a study of it: a first table, a curve, a Cox model."""

# 2,000 people whose hazard is halved by the treatment (log hazard ratio -0.693), with a confounder and 38 attributes.
ATTRIBUTES = ", ".join(f"(hash(range * 7919 + {n}) % {2 + n % 5})::INTEGER AS attribute_{n}" for n in range(38))
TRIAL = f"""
WITH people AS (
    SELECT range, (hash(range + 11) % 1000) / 1000.0 + 0.0005 AS u, (hash(range + 5) % 2)::INTEGER AS treated,
        40 + (hash(range + 3) % 40)::INTEGER AS age, {ATTRIBUTES}
    FROM range(2000)
)
SELECT range AS person_id, treated::INTEGER AS treated, age::INTEGER AS age,
    least(5.0, -ln(u) / (0.3 * exp(-0.693147 * treated + 0.02 * (age - 60)))) AS years,
    (-ln(u) / (0.3 * exp(-0.693147 * treated + 0.02 * (age - 60))) <= 5.0)::INTEGER AS died,
    * EXCLUDE (range, u, treated, age)
FROM people
"""
TABLE_1 = """
import pandas as pd
trial = table("trial")
rows = [c for c in trial.columns if c not in ("person_id", "treated")]
table_1 = trial.groupby("treated")[rows].agg(["mean", "std"]).T.unstack()
table_1.columns = [f"{'treated' if arm else 'not treated'}, {what}" for arm, what in table_1.columns]
table_1 = table_1.head(40)
table_1
"""
CURVE = """
import matplotlib.pyplot as plt
from lifelines import KaplanMeierFitter
figure, axes = plt.subplots()
for arm, people in trial.groupby("treated"):
    KaplanMeierFitter().fit(people.years, people.died, label="treated" if arm else "not treated").plot(ax=axes)
axes.set_xlabel("years"); axes.set_ylabel("alive");
"""
R = """%%R trial
library(survival)
cox <- coxph(Surv(years, died) ~ treated + age, data = trial)
cat(round(coef(cox)["treated"], 3), round(sqrt(vcov(cox)["treated", "treated"]), 3), "\\n")
plot(survfit(Surv(years, died) ~ treated, data = trial), xlab = "years")
"""
COX = """
from lifelines import CoxPHFitter
cox = CoxPHFitter().fit(trial[["years", "died", "treated", "age"]], "years", "died")
print(f"{cox.params_['treated']:.3f} {cox.standard_errors_['treated']:.3f}")
cox.summary.round(3)[["coef", "se(coef)", "p"]]
"""
