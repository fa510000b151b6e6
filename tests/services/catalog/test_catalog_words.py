"""One tokenizer, two databases, the same hits."""

import pytest

from madang.node.database import now
from madang.services.catalog import finding, service, words
from madang.services.catalog.models import Record
from portal_house import OWNER, House

RECORDS = {
    "a": ("당뇨병 코호트", "서울의 당뇨 환자 2,000명. HbA1c 검사 결과."),
    "b": ("Diabetes cohort", "Type-2 diabetes in Seoul, café Zürich, COVID-19"),
    "c": ("폐암 영상", "CT영상과 병리. 담당 의사의 판독"),
    "d": ("Lung cancer", "X_ray of the lung; 'quotes' \"double\" * ( ) & | ! : <->"),
    "e": ("빈 설명", ""),
}
ASKED = {
    "당뇨": "a",
    "당뇨병": "a",
    "당": "ac",  # also 담당
    "뇨병 당뇨": "a",
    "diabet": "b",
    "DIABETES": "b",
    "diabetes seoul": "b",
    "di": "",
    "2": "ab",
    "hba1c": "a",
    "covid 19": "b",
    "cafe": "",
    "cafe\u0301": "b",
    "CT영상": "c",
    "영상": "c",
    "상영": "",
    "lung": "d",
    "quotes double": "d",
    "ray": "d",
    "NOT lung": "",
    "lung OR 당뇨": "",
    "* ( ) ' \" : & | !": "",
    "폐암 lung": "",
    "가" * 500: "",
}


@pytest.fixture
def filled(each_house: House) -> House:
    with each_house.node.write() as session:
        for place, (name, (title, body)) in enumerate(RECORDS.items()):
            record = Record(name=name, dataset=name, organization_id=1, title=title, state="published", published=now())
            session.add(record)
            session.flush()
            words.put(session, record.id, title, [body])
            assert record.id == place + 1
    return each_house


def test_a_question_finds_the_same_records_on_both_databases(filled: House) -> None:
    found = {}
    for question in ASKED:
        hits = finding.search(filled.node, OWNER, question, finding.Filters()).records
        found[question] = "".join(sorted(record.name for record in hits))
    assert found == ASKED


def test_words_in_the_title_come_first_then_the_newest(filled: House) -> None:
    with filled.node.write() as session:
        words.put(session, 5, "빈 설명", ["당뇨 cohort"])
    names = [record.name for record in finding.search(filled.node, OWNER, "cohort", finding.Filters()).records]
    assert names == ["b", "e"]
    everything = [record.name for record in finding.search(filled.node, OWNER, " ", finding.Filters()).records]
    assert everything == ["e", "d", "c", "b", "a"]


def test_what_is_dropped_is_found_no_more_and_an_index_that_was_lost_is_made_anew(filled: House) -> None:
    with filled.node.write() as session:
        for number in range(1, 6):
            words.drop(session, number)
    assert finding.search(filled.node, OWNER, "당뇨", finding.Filters()).total == 0
    service.rebuild_words(filled.node)
    assert [record.name for record in finding.search(filled.node, OWNER, "당뇨병", finding.Filters()).records] == ["a"]
