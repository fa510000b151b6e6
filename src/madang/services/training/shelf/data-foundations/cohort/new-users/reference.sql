WITH c AS (SELECT person_id, min(condition_start_date) AS day FROM condition_occurrence
           WHERE condition_concept_id = 201826 GROUP BY person_id),
     d AS (SELECT person_id, min(drug_exposure_start_date) AS day FROM drug_exposure
           WHERE drug_concept_id = 1503297 GROUP BY person_id)
SELECT d.person_id, d.day FROM c JOIN d USING (person_id) WHERE d.day - c.day BETWEEN 0 AND 30
