SELECT person_id, condition_start_date FROM condition_occurrence WHERE condition_concept_id = 201826
