SELECT person_id, min(condition_start_date)
FROM condition_occurrence WHERE condition_concept_id = 201826 GROUP BY person_id
