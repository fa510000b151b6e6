"""What criteria and their attributes are called, in the reader's language."""

from madang.base.translate import _


def kind_name(kind: str) -> str:
    """What a kind of criterion is called; its own name where it is not known."""
    names = {
        "ConditionEra": _("condition era"),
        "ConditionOccurrence": _("condition occurrence"),
        "CustomEra": _("custom era"),
        "Death": _("death"),
        "DeviceExposure": _("device exposure"),
        "DoseEra": _("dose era"),
        "DrugEra": _("drug era"),
        "DrugExposure": _("drug exposure"),
        "Episode": _("episode"),
        "LocationRegion": _("residence in a region"),
        "Measurement": _("measurement"),
        "Observation": _("observation"),
        "ObservationPeriod": _("observation period"),
        "PayerPlanPeriod": _("payer plan period"),
        "ProcedureOccurrence": _("procedure"),
        "Specimen": _("specimen"),
        "VisitDetail": _("visit detail"),
        "VisitOccurrence": _("visit"),
    }
    return names.get(kind, kind)


def attribute_name(key: str) -> str:
    """What an attribute of a criterion is called; its own name where it is not known."""
    names = {
        "Abnormal": _("abnormal result"),
        "Age": _("age"),
        "AgeAtEnd": _("age at the end"),
        "AgeAtStart": _("age at the start"),
        "AnatomicSite": _("anatomic site"),
        "ConditionStatus": _("condition status"),
        "DaysSupply": _("days of supply"),
        "DiseaseStatus": _("disease status"),
        "DoseUnit": _("dose unit"),
        "DoseValue": _("dose"),
        "Duration": _("duration in days"),
        "EffectiveDrugDose": _("effective dose"),
        "EndDate": _("end date"),
        "EpisodeEndDate": _("end date"),
        "EpisodeNumber": _("episode number"),
        "EpisodeObjectConcept": _("object of the episode"),
        "EpisodeStartDate": _("start date"),
        "EraEndDate": _("end date"),
        "EraLength": _("length in days"),
        "EraStartDate": _("start date"),
        "Ethnicity": _("ethnicity"),
        "GapDays": _("gap in days"),
        "Gender": _("sex"),
        "LotNumber": _("lot number"),
        "Modifier": _("modifier"),
        "OccurrenceCount": _("number of occurrences"),
        "OccurrenceEndDate": _("end date"),
        "OccurrenceStartDate": _("start date"),
        "Operator": _("operator of the value"),
        "PayerConcept": _("payer"),
        "PeriodEndDate": _("end date"),
        "PeriodLength": _("length in days"),
        "PeriodStartDate": _("start date"),
        "PlaceOfService": _("place of service"),
        "PlanConcept": _("plan"),
        "ProviderSpecialty": _("specialty of the provider"),
        "Qualifier": _("qualifier"),
        "Quantity": _("quantity"),
        "Race": _("race"),
        "RangeHigh": _("upper limit of normal"),
        "RangeHighRatio": _("value divided by the upper limit of normal"),
        "RangeLow": _("lower limit of normal"),
        "RangeLowRatio": _("value divided by the lower limit of normal"),
        "Refills": _("refills"),
        "RouteConcept": _("route"),
        "SourceId": _("source identifier"),
        "SponsorConcept": _("sponsor"),
        "StartDate": _("start date"),
        "StopReason": _("reason of the end"),
        "StopReasonConcept": _("reason of the end"),
        "UniqueDeviceId": _("unique device identifier"),
        "Unit": _("unit"),
        "UserDefinedPeriod": _("period set by the definition"),
        "ValueAsConcept": _("value"),
        "ValueAsNumber": _("value"),
        "ValueAsString": _("value as text"),
        "VisitDetailEndDate": _("end date"),
        "VisitDetailLength": _("length in days"),
        "VisitDetailStartDate": _("start date"),
        "VisitLength": _("length in days"),
        "VisitType": _("kind of visit"),
    }
    plain = key.removesuffix("CS")
    if plain in names:
        return names[plain]
    if plain.endswith("SourceConcept"):
        return _("source code")
    if plain.endswith("Type"):
        return _("record type")
    return key


def column_name(column: str) -> str:
    """What a column is called whose different values a criterion counts."""
    names = {
        "DOMAIN_CONCEPT": _("concepts"),
        "DOMAIN_SOURCE_CONCEPT": _("source codes"),
        "START_DATE": _("start dates"),
        "END_DATE": _("end dates"),
        "VISIT_ID": _("visits"),
        "VISIT_DETAIL_ID": _("visit details"),
        "VALUE_AS_NUMBER": _("values"),
        "UNIT": _("units"),
    }
    return names.get(column, column.lower().replace("_", " "))
