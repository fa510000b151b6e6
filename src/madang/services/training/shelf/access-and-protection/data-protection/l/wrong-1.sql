SELECT birth, sex FROM people GROUP BY birth, sex HAVING count(DISTINCT diagnosis) = 1 ORDER BY birth, sex
