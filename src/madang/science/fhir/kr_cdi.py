"""Classes of KR CDI, the Korean core data for interoperability (version 2), and the KR Core profiles that carry them.

The relation is that of the KR Core implementation guide 2.0.0, page "KR CDI".
"""

from dataclasses import dataclass

from madang.base.translate import in_language

BASE = "http://www.hl7korea.or.kr/fhir/krcore/StructureDefinition/krcore-"
VITAL = ("vitalsigns", "bloodpressure", "bodyheight", "bodytemperature", "bodyweight", "heartrate", "pulseoximetry")


@dataclass(frozen=True)
class CoreClass:
    """One class of KR CDI."""

    id: str
    korean: str
    english: str
    profiles: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its name in the reader's language."""
        return in_language(self.korean, self.english)


CLASSES = (
    CoreClass("patient", "환자 정보", "Patient", ("patient",)),
    CoreClass(
        "practitioner", "진료의 정보 및 역할 정보", "Doctors and their roles", ("medical-doctor", "medical-doctor-role")
    ),
    CoreClass("organization", "의료기관 정보", "Healthcare organization", ("healthcare-organization",)),
    CoreClass("encounter", "내원 정보", "Encounters", ("encounter",)),
    CoreClass(
        "condition",
        "진단 및 주호소 정보",
        "Diagnoses and chief complaints",
        ("condition-chief-complaint", "condition-encounter-diagnosis"),
    ),
    CoreClass("procedure", "수술 및 처치 정보", "Operations and procedures", ("procedure",)),
    CoreClass("medication", "약물 정보", "Medication", ("medication", "medicationrequest")),
    CoreClass(
        "laboratory",
        "진단검사",
        "Laboratory tests",
        ("diagnosticreport-laboratory-results", "observation-laboratory-result", "specimen"),
    ),
    CoreClass("pathology", "병리검사", "Pathology", ("diagnosticreport-pathology-results",)),
    CoreClass("imaging", "진단영상검사", "Diagnostic imaging", ("diagnosticreport-diagnostic-imaging", "imagingstudy")),
    CoreClass(
        "function",
        "기능검사",
        "Functional tests",
        ("diagnosticreport-function-tests", "observation-function-test"),
    ),
    CoreClass("vital", "활력징후 및 신체 계측 정보", "Vital signs and body measures", (*VITAL, "respiratoryrate")),
    CoreClass("allergy", "알레르기 불내성", "Allergies and intolerances", ("allergyintolerance",)),
    CoreClass("immunization", "예방접종 내역", "Immunizations", ("immunization",)),
)


def class_of(profile: str) -> CoreClass | None:
    """The class that a KR Core profile carries; None for those that carry none."""
    name = profile.removeprefix(BASE)
    return next((each for each in CLASSES if name in each.profiles), None) if name != profile else None
