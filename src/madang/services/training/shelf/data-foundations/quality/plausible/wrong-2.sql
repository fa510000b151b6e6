SELECT sum(CASE WHEN value_as_number NOT BETWEEN 30 AND 300 THEN 1 ELSE 0 END), count(value_as_number) FROM measurement
