"""The portal's part of `madang demo`: people who can sign in to look around, and both datasets in the catalog.

What is computed for the catalog is begun as soon as a dataset is there, in a process beside the demo's own.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from madang.base.errors import MadangError
from madang.base.translate import _

if TYPE_CHECKING:
    from madang.node.home import Home
    from madang.node.node import Node

# Short name, titles, and the dataset that each holds with the tier that it gets.
HOLDERS = (
    ("demo-insurer", "데모용 보험자(합성)", "Demo insurer (synthetic)", "demo-insurer", "controlled"),
    ("demo-hospital", "데모용 병원(합성)", "Demo hospital (synthetic)", "demo-hospital", "open"),
)
TITLES = {
    "demo-insurer": ("데모용 건강보험 표본코호트(합성)", "Demo health insurance sample cohort (synthetic)"),
    "demo-hospital": ("데모용 병원 전자의무기록(합성)", "Demo hospital records (synthetic)"),
}
KOREAN = {  # what the packs say in English
    "demo-insurer": "건강보험 표본 대상자의 자격, 진료비 청구, 건강검진 자료입니다. 관찰 기간은 자격을 유지한 "
    "연도이며, 공백이 없으면 하나로 잇고 사망일에 끝납니다. 출생연도는 5세 단위 연령대로 "
    "추정했습니다.",
    "demo-hospital": "한 병원의 내원, 진단, 시행된 약 처방, 검사 결과, 활력징후, 시술·처치 자료입니다. 관찰 "
    "기간은 첫 기록부터 원내 사망일까지이며, 원내 사망이 없으면 자료 추출일까지입니다. 원외 사망은 "
    "파악되지 않습니다.",
}
CONTACT = "access@example.org"
WAY = (
    "과제를 만들고 이용신청서를 내면 데모용 보험자의 데이터 심의위원회가 결정합니다. "
    "데이터는 안심분석실에서만 쓸 수 있고, 결과는 심사를 거쳐 나갑니다."
)
WAY_EN = (
    "Begin a project and hand in an application: the data committee of the demo insurer decides. "
    "The data can be used in a secure workspace only, and results leave it after a review."
)
PEOPLE = {"demo-steward": "steward", "demo-researcher": "member", "demo-auditor": "auditor"}
_PATIENCE = 300  # seconds for the checks of both


@contextmanager
def open_house(home: "Home") -> "Iterator[Node]":
    """The installation with the demo accounts, whose passwords are shown; jobs are looked after within the block."""
    from madang.node.jobs import Keeper
    from madang.node.node import opened

    with opened(home) as node:
        _people(node)
        show_everybody(node)
        with Keeper(node):
            yield node


def publish(node: "Node") -> None:
    """Publish the newest version of each demo dataset, as soon as it is prepared."""
    from madang.base.console import ProgressBars

    with ProgressBars() as progress, progress.step(_("publish"), len(HOLDERS), _("datasets")):
        for _name, _korean, _english, dataset, _tier in HOLDERS:
            _publish(node, dataset)
            progress.advance(1)


def show_everybody(node: "Node") -> None:
    """All accounts of the demo, those that the rooms made included."""
    from madang.base.console import show_table
    from madang.node.people.demo import demo_accounts, demo_password

    rows = [[login, demo_password(node.home, login), ", ".join(roles)] for login, roles in demo_accounts(node).items()]
    show_table(_("Who can sign in to the demo"), [_("account"), _("password"), _("role")], rows)


def _people(node: "Node") -> None:
    """Organizations and accounts, made where they are not there yet."""
    import contextlib

    from sqlalchemy import select

    from madang.node.people import accounts
    from madang.node.people.actor import Actor
    from madang.node.people.demo import demo_person
    from madang.node.people.models import HOUSE, Organization

    owner = Actor.owner()
    for name, korean, english, _dataset, _tier in HOLDERS:
        with contextlib.suppress(MadangError):
            accounts.create_organization(node, owner, name, korean, english)
    with node.read() as session:
        names = [name for name, *_more in HOLDERS]
        places = list(session.scalars(select(Organization.id).where(Organization.name.in_(names))))
    for login, role in PEOPLE.items():
        demo_person(node, login, role, *([HOUSE] if role == "auditor" else places))


def begin_record(node: "Node", dataset: str) -> None:
    """Take the newest version of a demo dataset into its record; nothing happens if it is there."""
    from madang.node.people.actor import Actor
    from madang.services.catalog import service

    owner = Actor.owner()
    organization, tier = next((name, tier) for name, _ko, _en, held, tier in HOLDERS if held == dataset)
    newest = node.home.lake().find(dataset).number
    try:
        record = service.see(node, owner, dataset)
    except MadangError:
        service.make(node, owner, dataset, organization)
        record = service.see(node, owner, dataset)
        korean, english = TITLES[dataset]
        said = {"description": KOREAN[dataset], "description_en": record.told.description}
        update = {"synthetic": True, "license": "CC0-1.0", **said}
        if tier == "controlled":
            update |= {"contact": CONTACT, "access_rights": WAY, "access_rights_en": WAY_EN}
        description = record.told.model_copy(update=update)
        given = service.Edited(record.edition, korean, english, tier, "open", "", None, description)
        service.edit(node, owner, dataset, given)
    if not any(version.number == newest for version in record.versions):
        service.add_version(node, owner, dataset)


def _publish(node: "Node", dataset: str) -> None:
    from sqlalchemy import select

    from madang.node.people.actor import Actor
    from madang.services.catalog import service
    from madang.services.catalog.models import Record, RecordVersion

    owner = Actor.owner()
    newest = node.home.lake().find(dataset).number
    until = time.monotonic() + _PATIENCE
    of_newest = (Record.name == dataset) & (RecordVersion.number == newest)
    while time.monotonic() < until:
        with node.read() as session:  # not by `see`, which would put every look into the audit
            state = session.scalar(select(RecordVersion.state).join(Record).where(of_newest))
        if state == "ready":
            return service.publish(node, owner, dataset, newest)
        if state != "preparing":
            return None
        time.sleep(0.3)
    return None
