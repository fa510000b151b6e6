SELECT birth, sex FROM people GROUP BY birth, sex HAVING count(*) >= 2 ORDER BY birth, sex
