SELECT count(*) FILTER (value_as_number <= 30 OR value_as_number >= 300), count(*) FROM measurement WHERE unit = 'mmHg'
