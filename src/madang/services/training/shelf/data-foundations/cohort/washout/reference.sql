SELECT e.person_id
FROM entry AS e JOIN observation_period AS o ON o.person_id = e.person_id
WHERE e.index_date - o.observation_period_start_date >= 365 AND e.index_date <= o.observation_period_end_date
