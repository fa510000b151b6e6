SELECT DISTINCT person_id, 1 FROM measurement WHERE person_id NOT IN (SELECT person_id FROM person)
