SELECT e.person_id FROM entry e JOIN observation_period o USING (person_id) WHERE e.index_date - o.observation_period_start_date > 365
