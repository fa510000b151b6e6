SELECT person_id, min(condition_start_date) FROM condition_occurrence GROUP BY person_id
