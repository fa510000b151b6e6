-- Practitioners as their first role tells them: specialty and institution. A role names its practitioner by reference
-- or by identifier, so both are brought to the identifier where it is known.
with coded as (
    select *,
        coalesce(practitioner_role.practitioner, practitioner_identifier) as named,
        from_json(try_cast(coalesce(specialties, roles) as json), '[[{"system": "VARCHAR", "code": "VARCHAR", "display": "VARCHAR"}]]')[1][1] as coding,
        getvariable('code_systems')::json::map(varchar, varchar) as systems
    from practitioner_role
)
select
    coalesce(practitioner.identifier_system || '|' || practitioner.identifier, '|' || practitioner.identifier, practitioner_identifier, named) as who,
    list_concat(
        coalesce(from_json(try_cast(first(practitioner.identifiers order by coded._row) as json), '["VARCHAR"]'), []),
        [first(practitioner_identifier order by coded._row)]) as identifiers,
    list_transform(list_concat(
        coalesce(from_json(try_cast(first(practitioner.identifiers order by coded._row) as json), '["VARCHAR"]'), []),
        [first(practitioner_identifier order by coded._row)]), lambda x: substr(x, instr(x, '|') + 1)) as identifier_values,
    reject_when(named is null, 'names no practitioner'),
    first(systems[coding.system] order by coded._row) as specialty_vocabulary_id,
    first(coding.code order by coded._row) as specialty_code,
    first(left(coalesce(coding.display, coding.code), 50) order by coded._row) as specialty_source_value,
    first(coalesce(institution.care_site_id, known.id, valued.id) order by coded._row) as care_site_id,
    first(practitioner.gender order by coded._row) as gender_source_value,
    first(case practitioner.gender when 'male' then 8507 when 'female' then 8532 else 0 end order by coded._row) as gender_concept_id,
    string_split(who, '|')[-1] as provider_source_value
from coded
left join practitioner on practitioner.id = coded.practitioner
left join institution on institution.id = coded.organization
left join institution_identifiers as known on known.name = coded.organization_identifier
left join institution_identifier_values as valued on valued.name = coded.organization_value
group by who
