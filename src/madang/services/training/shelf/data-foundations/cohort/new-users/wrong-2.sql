SELECT person_id, min(drug_exposure_start_date) FROM drug_exposure GROUP BY 1
