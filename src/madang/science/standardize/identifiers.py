"""Columns that look as if they named a person, by the words of their names in English and Korean."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from madang.base.errors import MadangError
from madang.science.standardize.pack_model import Column, Pack

_PERSON = (
    "(pt|pat|patient|person|member|subscriber|insured|guardian|parent|mother|father|spouse|contact|doctor|dr|physician)"
)
_NUMBER = "( (no|num|nr|number|id))?"

_KOREAN: Mapping[str, str] = MappingProxyType(
    {
        "a resident registration number": "주민번호|주민등록|외국인등록|외국인번호",
        "a passport or driving license number": "여권|운전면허",
        "the name of a person": "성명|이름|환자명|수진자명|보호자명|의사명|담당의명|주치의명|한글명|영문명",
        "a telephone number": "전화|휴대폰|핸드폰|연락처|팩스",
        "an address": "주소",
        "an e-mail address": "이메일|전자우편",
        "a patient number": "환자번호|등록번호|차트번호|병록번호|환자id|가입자일련번호|가입자번호"
        "|개인식별|개인일련번호|수진자번호|연구대상자|대상자번호|연구번호|피보험자번호|수급자번호|고객번호|증례번호",
    }
)
"""What a name holds in which one of these occurs, spaces aside."""

_ENGLISH: Mapping[str, str] = MappingProxyType(
    {
        "a resident registration number": rf"(rrn|jumin|ssn|social security|resident registration|national)"
        rf"{_NUMBER}",
        "a passport or driving license number": rf"(passport|drivers?|drivers? licen[sc]e){_NUMBER}",
        "the name of a person": rf"({_PERSON} )?(first|last|given|family|full|middle|maiden)( name| nm)?"
        rf"|surname|{_PERSON} ?(name|nm)|name|nm",
        "a telephone number": rf"(.* )?(phone|telephone|mobile|tel|telno|hpno|cellphone|cell|fax){_NUMBER}( [0-9])?",
        "an address": r"(.* )?(address|addr|street)( line)?( [0-9])?",
        "an e-mail address": r"(.* )?(email|e mail)( addr| address)?",
        "a patient number": r"(pt|pat|patient|patnt|person|member|subject|subj|bene|beneficiary|insured) ?"
        r"(no|num|nr|number|id|key|sk|cd)|mrn|pid|patients?"
        r"|(chart|hospital|medical record|case|registration|reg) ?(no|num|number|id)|regno|chartno"
        r"|usubjid|subjid|u ?subj ?id|unique ?pid|uniquepid|desynpuf id|jid|indi dscm no|rn indi|primary ?id"
        r"|(person|subject|patient) source value|e?mpi|idv id|nhs ?(no|num|number)"
        r"|(unit|med ?rec|hsp|enrollee|cust|customer) ?(no|num|number|id)|enrolid|hn|pers(on)? ?nr|eid"
        r"|participant ?(no|num|number|id)",
    }
)
"""What a name holds that is one of these, taken apart at capitals, digits and signs."""


_WORDS: tuple[tuple[str, str], ...] = (
    ("resident number", r"주민|외국인등록|resident.?(reg|no|num)|rrn|jumin|\bssn\b|social.?security"),
    ("identity document", r"여권|운전면허|passport|driver|license.?no"),
    ("phone", r"전화|휴대|핸드폰|연락처|phone|mobile|\btel\b|\bfax\b|cell.?no"),
    ("e-mail", r"이메일|메일|e.?mail"),
    ("address", r"주소|우편번호|\baddr|address|street|\bzip\b|post.?code|"
     r"birth.?place|출생지|\bcity\b|시군구|\blat\b|\blon\b|latitude|longitude"),
    ("name", r"성명|이름|환자명|보호자|수진자명|의사명|간호사명|작성자명|담당자명|"
     r"(patient|pt|person|subject|first|last|middle|maiden|given|family|full|mother|father|guardian|doctor|nurse"
     r"|owner|holder|guarantor|kin|author|attending|signed.?by).?(name|nm)\b|"
     r"^(name|first|last|middle|maiden|surname|firstname|lastname)$|\bname\W.*(family|given|text)"),
    ("person identifier", r"환자.?(번호|id)|등록번호|병록번호|차트번호|개인.?(식별|id|번호)|^patient$|"
     r"(patient|\bpt|person|subject|member|bene|beneficiary|indi).?(id|no|num|number|key)\b|\bmrn\b|chart.?no|rn_indi|patientid"),
)  # fmt: skip
HEADERS = tuple((kind, re.compile(words, re.IGNORECASE)) for kind, words in _WORDS)
"""The words of headers that speak of persons, by the kind of flag that a scan gives them."""

KINDS = {
    "a resident registration number": "resident number",
    "a passport or driving license number": "identity document",
    "the name of a person": "name",
    "a telephone number": "phone",
    "an address": "address",
    "an e-mail address": "e-mail",
    "a patient number": "person identifier",
}
"""The kind of flag of each of the above."""


def looks_like_identifier(name: str) -> str | None:
    """What a column of this name probably holds, as `a telephone number`; None where it does not look like that."""
    plain = re.sub(r"[\s_]+", "", name).lower()
    for what, pattern in _KOREAN.items():
        if re.search(pattern, plain):
            return what
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Za-z])(?=[0-9]+$)|[^0-9A-Za-z]+", " ", name).lower().strip()
    for what, pattern in _ENGLISH.items():
        if re.fullmatch(pattern, words):
            return what
    return None


def unmarked_identifiers(pack: Pack) -> list[MadangError]:
    """An error `pack.unmarked_identifier` for each column that looks like an identifier of persons and does not say."""
    return [
        MadangError(
            "pack.unmarked_identifier",
            f"{pack.folder.name}/pack.toml:{pack.line('sources', source.name, 'columns', column.name)}: "
            f"the column {column.name} looks like {what}, and pack.toml does not say what to do with it.",
            'Say identifier = "direct" (it never leaves the source), "pseudonym" (a keyed hash takes its '
            'place) or "none" (it is no identifier of a person).',
        )
        for source in pack.sources.values()
        for column in source.columns.values()
        if column.identifier is None and (what := _held_by(column))
    ]


def _held_by(column: Column) -> str | None:
    """What a column probably holds by its name, its header or the last word of its path."""
    last = (column.path or "").rpartition(".")[2]
    names = (column.name, column.header or "", last)
    # A day is no number of a person, whatever its name.
    flagged = () if column.type in ("date", "datetime", "time") else map(_flagged, names)
    return next(filter(None, (*map(looks_like_identifier, names), *flagged)), None)


def _flagged(name: str) -> str | None:
    """What a scan would flag a column of this name as; of addresses it flags more than may be asked about, as towns."""
    words = re.sub(r"([a-z])([A-Z])", r"\1 \2", name).replace("_", " ").strip()
    said = {kind: what for what, kind in KINDS.items()}
    return next((said[kind] for kind, pattern in HEADERS if kind != "address" and pattern.search(words)), None)
