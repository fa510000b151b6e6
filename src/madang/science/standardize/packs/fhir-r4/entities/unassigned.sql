-- Practitioners without a role.
with known as (select *, coalesce(identifier_system || '|' || identifier, '|' || identifier, id) as one from practitioner)
select
    one as who,
    unused_when(role.provider_id is not null, 'told by PractitionerRole'),
    from_json(try_cast(min(known.identifiers) as json), '["VARCHAR"]') as identifiers,
    list_transform(from_json(try_cast(min(known.identifiers) as json), '["VARCHAR"]'), lambda x: substr(x, instr(x, '|') + 1)) as identifier_values,
    min(known.gender) as gender_source_value,
    case min(known.gender) when 'male' then 8507 when 'female' then 8532 else 0 end as gender_concept_id,
    string_split(one, '|')[-1] as provider_source_value
from known left join role on role.who = known.one
group by one
