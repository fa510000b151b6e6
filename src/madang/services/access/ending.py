"""The end of a permit: extract and key destroyed, and the records that the law wants."""

import json
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select

from madang.base.errors import MadangError
from madang.base.translate import _, in_language, later
from madang.lake.removal import remove_versions
from madang.node.acts import doing
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.models import Organization, Permit, Person
from madang.node.people.projects import people_of
from madang.node.permissions import check
from madang.node.text import clean_prose
from madang.science.privacy.duo import Finding
from madang.services.access import acts, letters
from madang.services.access.asking import grant_of
from madang.services.access.extracting import forget_key, held_name
from madang.services.access.models import Application
from madang.services.access.permits import see_permit
from madang.services.access.procedure import NAMES
from madang.services.access.service import RECUSED, conflicted, find, findings, people_of_committee, see, steps_of
from madang.services.access.signed import read_permit

YEARS_KEPT = 3  # after destruction, PIPA 28-4 (3)
BACKUP_DAYS = 90  # until the operator's last backup with the files has expired, unless said otherwise


def destroy(node: Node, actor: Actor, number: str, reason: str, backup_days: int = BACKUP_DAYS) -> dict[str, Any]:
    """End a permit for good: every version of its extract and its key go; the record of destruction.

    May be done again after a kill: what is gone stays gone.
    """
    text = clean_prose(reason, _("The reason"), 2_000, required=True)
    with node.read() as session:
        grant = grant_of(session, number)
        dataset_name, key_name = grant.permit.dataset, grant.key_name
    with doing(node, actor, acts.DESTROY, lambda session: grant_of(session, number)) as done:
        done.thing.permit.ends = min(done.thing.permit.ends, now())
        application = done.thing.application
        letters.to_applicants(node, done.session, application, lambda: _("The extract of your permit is destroyed"))
        done.tell(reason=text)
    # The act stands before the files go: from this moment nothing opens them, whatever happens next.
    versions, files = [], []
    for name in (dataset_name, held_name(number)):
        dataset = node.home.lake().dataset(name)
        mine = list(dataset.versions()) if dataset.exists else []
        versions += mine
        files += remove_versions(dataset, mine, f"permit {number} is over") if mine else []
    had_key = forget_key(node, key_name)
    today = date.today()
    record = {
        "permit": number,
        "dataset": dataset_name,
        "destroyed": today.isoformat(),
        "by": actor.name,
        "reason": text,
        "versions": versions,
        "files": len(files),
        "key_destroyed": had_key,
        "backups_expire": (today + timedelta(days=backup_days)).isoformat(),
        "kept_until": today.replace(year=today.year + YEARS_KEPT, day=min(today.day, 28)).isoformat(),
        "cannot_be_shown": [
            later("whether somebody remembers what they saw"),
            later("copies that were made against the rules outside this installation"),
            later("blocks of the disk that the file system has not yet written anew"),
        ],
    }
    with node.write() as session:
        kept = grant_of(session, number)
        kept.destroyed, kept.destruction, kept.version = now(), json.dumps(record, ensure_ascii=False), None
    return record


def processing_record(node: Node, actor: Actor, number: int) -> dict[str, Any]:
    """The record of processing of pseudonymized data (가명정보 처리 기록) of an application's permit.

    Errors: `access.none`, `access.no_permit`.
    """
    application = see(node, actor, number)
    with node.read() as session:
        number_of = session.scalar(select(Permit.number).where(Permit.id == (application.parent_id or 0)))
    if number_of is None:
        raise MadangError("access.no_permit", _("The application {number} has no permit.").format(number=number), "")
    grant = see_permit(node, actor, number_of)
    terms = read_permit(node, grant.permit.document)
    with node.read() as session:
        holder = session.get(Organization, grant.permit.organization_id)
        people = [(person.login, person.name) for person in people_of(session, grant.permit.project_id)]
    assert holder is not None
    destruction = json.loads(grant.destruction) if grant.destruction else None
    report = json.loads(grant.report) if grant.report else None
    return {
        "title": "가명정보 처리 기록 (record of processing of pseudonymized data)",
        "law": "Personal Information Protection Act, article 28-4",
        "holder": {"ko": holder.title, "en": holder.title_en},
        "recipient": {"project": grant.permit.project.title, "people": [f"{name} ({login})" for login, name in people]},
        "permit": grant.permit.number,
        "state": grant.permit.state,
        "purpose": terms["purpose"],
        "items": terms["tables"],
        "population": terms["population"],
        "method": terms["recipe"],
        "period": {"from": terms["begins"][:10], "to": f"{grant.permit.ends:%Y-%m-%d}"},
        "conditions": terms["conditions"],
        "extract": None if grant.version is None else f"{grant.permit.dataset}@{grant.version}",
        "rows": report.get("rows") if report else None,
        "suspected_reidentification": grant.suspected or None,
        "destruction": destruction,
        "keep": {"years_after_destruction": YEARS_KEPT, "until": destruction["kept_until"] if destruction else None},
    }


def minutes(node: Node, actor: Actor, number: int) -> dict[str, Any]:
    """The minutes of the committee's decision on an application, for whoever decides or audits; not the applicant.

    Errors: `access.none`, `permission.denied`.
    """
    application = see(node, actor, number)
    from madang.services.access.deciding import tally

    check(actor, acts.MINUTES, application)
    with node.read() as session:
        found: Application = find(session, application.id)
        counted = tally(session, found)
        votes = [
            {"member": each.person.name, "choice": each.choice, "words": each.words, "at": each.at.isoformat()}
            for each in found.votes
            if each.edition == found.edition and each.choice != RECUSED
        ]
        everybody = people_of_committee(session, found.organization_id)
        excluded = [session.get_one(Person, each).name for each in everybody if conflicted(session, found, each)]
    return {
        "application": found.id,
        "title": found.title,
        "project": found.project.title,
        "applicant": found.project.organization.title,
        "holder": found.organization.title,
        "dataset": found.dataset,
        "purpose": found.told.purpose,
        "urgent": found.told.urgent_reason,
        "edition": found.edition,
        "members": counted.members,
        "quorum": counted.quorum,
        "excluded": excluded,
        "votes": votes,
        "not_kept": [
            {
                "rule": each.found.rule.id,
                "title": in_language(each.found.rule.title["ko"], each.found.rule.title["en"]),
                "about": list(each.found.about),
            }
            for each in findings(node, found)
            if each.found.finding is Finding.DIFFERS
        ],
        "outcome": found.answer or counted.outcome or None,
        "conditions": found.conditions,
        "reasons": found.reasons,
        "decided": found.decided.isoformat() if found.decided else None,
        "steps": [
            {
                "step": step.name,
                "title": _(NAMES[step.name].title),
                "state": step.state,
                "closed": step.closed.isoformat() if step.closed else None,
            }
            for step in steps_of(found)
        ],
    }
