SELECT person_id, count(*) FROM measurement GROUP BY person_id
