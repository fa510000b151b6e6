SELECT birth, sex FROM people GROUP BY birth, sex
HAVING count(*) >= 2 AND count(DISTINCT diagnosis) = 1 ORDER BY birth, sex
