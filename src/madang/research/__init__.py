"""What people import inside a closed workspace: results that say which query they come from.

    from madang.research import open_study

    study = open_study("/data", person="person_id")
    ages = study.table("person", by=["gender", "age_group"])
    ages                                  # shows the table, small counts hidden, and what the rules say
    ages.save("results/ages")             # ages.csv and ages.query.json: bring both to the release desk

Every result is computed by the same code that the release desk uses, which computes it again from the declared query.
What a session shows of the rules is a hint to the person at work, never evidence.
"""

from madang.research.study import Output, Study, open_study

__all__ = ["Output", "Study", "open_study"]
