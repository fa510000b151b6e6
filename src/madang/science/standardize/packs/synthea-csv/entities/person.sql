-- Race and ethnicity are the categories of the US census; what is none of them is 0.
select
    patients.Id,
    case GENDER when 'M' then 8507 when 'F' then 8532 else 0 end as gender_concept_id,
    year(BIRTHDATE) as year_of_birth,
    month(BIRTHDATE) as month_of_birth,
    day(BIRTHDATE) as day_of_birth,
    BIRTHDATE::timestamp as birth_datetime,
    case RACE
        when 'white' then 8527
        when 'black' then 8516
        when 'asian' then 8515
        when 'native' then 8657
        when 'hawaiian' then 8557
        else 0
    end as race_concept_id,
    case ETHNICITY when 'hispanic' then 38003563 when 'nonhispanic' then 38003564 else 0 end as ethnicity_concept_id,
    home.location_id,
    patients.Id as person_source_value,
    GENDER as gender_source_value,
    RACE as race_source_value,
    ETHNICITY as ethnicity_source_value,
    BIRTHDATE as born,
    DEATHDATE as died
from patients left join home on home.residence = concat_ws(', ', patients.STATE, patients.COUNTY)
