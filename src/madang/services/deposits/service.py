"""What people do with deposits, one function each: begin, describe, put files, check, submit, review, approve."""

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, selectinload

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.acts import doing
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.accounts import find_organization
from madang.node.people.actor import Actor
from madang.node.people.models import HOUSE, Organization
from madang.node.permissions import may, visible
from madang.node.text import clean_line, clean_prose
from madang.science.formats import check_sheet
from madang.services import grants
from madang.services.deposits import checking, lists, pairs, publishing, reading, sources, store
from madang.services.deposits.acts import APPROVE, BEGIN, DESCRIBE, NOTE, PUT, RETURN, SEE, SUBMIT
from madang.services.deposits.checklists import MODELS, find_checklist, find_model
from madang.services.deposits.models import Deposit, DepositFile
from madang.services.deposits.runs import RUNS

LARGEST = 1 << 40  # bytes of a file
MOST_FILES = 10_000
MOST_WRONG = 2_000  # cells that are kept to be shown
FIELDS = (
    "title",
    "title_en",
    "description",
    "license",
    "consent",
    "ethics",
    "deidentified",
    "checklist",
    "umbrella",
    "creators",
)


def see(node: Node, actor: Actor, name: str) -> Deposit:
    """A deposit with its files. Errors: `deposit.none`, also where the actor may not know of it."""
    with node.read() as session:
        found = find(session, actor, name)
        list(found.files)
    node.audit.read(actor, SEE.name, f"deposit:{found.id}")
    return found


def find(session: Session, actor: Actor, name: str) -> Deposit:
    """The deposit of a name. Errors: `deposit.none`."""
    query = select(Deposit).where(Deposit.name == name).options(selectinload(Deposit.files))
    found = session.scalar(query)
    if found is None or not may(actor, SEE, found):
        raise MadangError("deposit.none", _("There is no deposit {name}.").format(name=name), _("Look at your list."))
    return found


def found_alone(session: Session, actor: Actor, name: str, number: int) -> tuple[Deposit, DepositFile]:
    """A deposit and one file of it, without the others. Errors: `deposit.none`."""
    found = session.scalar(select(Deposit).where(Deposit.name == name))
    file = session.get(DepositFile, number)
    if found is None or not may(actor, SEE, found):
        raise MadangError("deposit.none", _("There is no deposit {name}.").format(name=name), _("Look at your list."))
    if file is None or file.deposit_id != found.id:
        raise MadangError("deposit.none", _("There is no such file in the deposit."))
    return found, file


def listed(node: Node, actor: Actor) -> Sequence[Deposit]:
    """The deposits that the actor may see, the newest first."""
    with node.read() as session:
        query = select(Deposit).where(visible(actor, SEE, Deposit)).options(selectinload(Deposit.files))
        return session.scalars(query.order_by(Deposit.id.desc()).limit(500)).all()


def holders(node: Node) -> Sequence[Organization]:
    """The organizations that may hold what is deposited, this installation first."""
    with node.read() as session:
        return session.scalars(select(Organization).order_by(Organization.id != HOUSE, Organization.name)).all()


def begin(node: Node, actor: Actor, name: str, model: str, organization: str, title: str = "") -> Deposit:
    """Begin a deposit by a repository's model. Errors: `deposit.name`, `deposit.taken`, `deposit.model`."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,59}", name):
        raise MadangError(
            "deposit.name",
            _("{name!r} cannot name a deposit.").format(name=name[:80]),
            _("Use small letters, digits and hyphens, at most 60."),
        )
    if name.endswith(publishing.PEOPLE):
        raise MadangError(
            "deposit.name", _("A name does not end in {ending}.").format(ending=publishing.PEOPLE), _("Choose another.")
        )
    find_model(model)
    title = clean_line(title, _("The title"), 300) or name

    def new(session: Session) -> Deposit:
        holder = find_organization(session, organization)
        if session.scalar(select(Deposit.id).where(Deposit.name == name)) is not None:
            raise MadangError("deposit.taken", _("There is a deposit {name} already.").format(name=name))
        return Deposit(name=name, title=title, model=model, organization_id=holder.id, owner_id=actor.person_id)

    with doing(node, actor, BEGIN, new) as done:
        done.session.add(done.thing)
    return done.thing


def describe(node: Node, actor: Actor, name: str, **told: str) -> None:
    """Say what it is; only what is given is changed. Errors: `deposit.field`, `deposit.checklist`."""
    if strange := sorted(set(told) - set(FIELDS)):
        raise MadangError("deposit.field", _("A deposit has no field {name}.").format(name=strange[0]))
    if told.get("checklist"):
        find_checklist(node.home, told["checklist"])
    with doing(node, actor, DESCRIBE, lambda session: not_frozen(find(session, actor, name))) as done:
        for field, value in told.items():
            if field == "umbrella":
                done.thing.sheets = replace(done.thing.sheets, umbrella=_umbrella(done.session, done.thing, value))
                continue
            if field == "creators":
                done.thing.sheets = replace(done.thing.sheets, creators=clean_line(value, _("Creators"), 2_000))
                continue
            many = field in ("description", "deidentified")
            cleaned = clean_prose(value, field, 2_000 if field == "deidentified" else 20_000) if many else None
            setattr(done.thing, field, cleaned if cleaned is not None else clean_line(value, field, 300))
        done.thing.changed = now()
        done.tell(what=", ".join(sorted(told)))


def holds_files(deposit: Deposit) -> None:
    """Errors: `deposit.umbrella` where the model takes no files."""
    if MODELS[deposit.model].umbrella:
        raise MadangError(
            "deposit.umbrella", _("An umbrella project holds projects, and no files."), _("Begin a project in it.")
        )


def not_frozen(deposit: Deposit) -> Deposit:
    """A project whose registration certificate was noted does not change any more, where its model says so."""
    if deposit.accession and MODELS[deposit.model].one_type:
        raise MadangError(
            "deposit.frozen",
            _("The project is frozen: its certificate {number} was noted.").format(number=deposit.accession),
            _("Begin another deposit for what is new."),
        )
    return deposit


def _umbrella(session: Session, deposit: Deposit, name: str) -> str:
    """The umbrella project that a deposit is to belong to: another deposit of the model that holds projects only."""
    if not name:
        return ""
    found = session.scalar(select(Deposit).where(Deposit.name == name, _same_owner(deposit)))
    if found is None or not MODELS[found.model].umbrella or MODELS[deposit.model].umbrella:
        raise MadangError(
            "deposit.umbrella",
            _("{name} is no umbrella project of yours.").format(name=name[:80]),
            _("Begin one by the model `umbrella`; it holds projects, and no files."),
        )
    return name


def _same_owner(deposit: Deposit) -> ColumnElement[bool]:
    return Deposit.owner_id.is_(None) if deposit.owner_id is None else Deposit.owner_id == deposit.owner_id


def projects_of(session: Session, name: str) -> list[Deposit]:
    """The deposits that belong to an umbrella project."""
    query = select(Deposit).where(Deposit.samples.contains(f'"umbrella": "{name}"', autoescape=True))
    return [each for each in session.scalars(query.order_by(Deposit.id)) if each.sheets.umbrella == name]


def names_within(node: Node, deposit: Deposit) -> list[str]:
    """The names of the deposits that belong to an umbrella project; of any other none."""
    if not MODELS[deposit.model].umbrella:
        return []
    with node.read() as session:
        return [each.name for each in projects_of(session, deposit.name)]


def put_sheet(node: Node, actor: Actor, name: str, path: Path, kind: str = "samples") -> list[dict[str, Any]]:
    """Take a sheet of `samples` or `runs` in if no cell is wrong; else all wrong cells, which the deposit keeps to be
    shown in place, and what was taken in before stays. Errors: `deposit.sheet`."""
    deposit = see(node, actor, name)
    list_ = RUNS if kind == "runs" else find_checklist(node.home, deposit.checklist or "basic")
    rows, found = check_sheet(list_, reading.cells_closed(path))
    wrong = [{"row": each.row, "column": each.column, "reason": each.reason, "value": each.value} for each in found]
    with doing(node, actor, DESCRIBE, lambda session: not_frozen(find(session, actor, name))) as done:
        if wrong:
            done.thing.sheets = replace(done.thing.sheets, wrong=wrong[:MOST_WRONG])
        else:
            told = replace(done.thing.sheets, wrong=[])
            done.thing.sheets = replace(told, runs=rows) if kind == "runs" else replace(told, samples=rows)
            done.thing.changed = now()
        done.tell(what=f"{kind}, {len(wrong)} wrong cells" if wrong else kind)
    return wrong


def file_name(name: str) -> str:
    """A name for a file in a deposit. Errors: `deposit.file_name`."""
    parts = name.split("/")
    bad = any(part in ("", ".", "..") for part in parts) or len(name) > 400 or "\\" in name
    if bad or any(ord(letter) < 32 or 0xD800 <= ord(letter) < 0xE000 for letter in name):
        raise MadangError(
            "deposit.file_name",
            _("{name!r} cannot name a file.").format(name=name[:80]),
            _("No .., no control characters, at most 400 letters."),
        )
    return name


def reserve(
    node: Node, actor: Actor, name: str, file: str, size: int, wanted: str = "", *, origin: str = ""
) -> DepositFile:
    """A place for a file that is about to come (from `origin`, as the audit tells it); the one that is there, if it is
    the same and not yet whole.

    Errors: `deposit.file_name`, `deposit.taken`, `deposit.length`, `deposit.space`, those of permissions.
    """
    file = file_name(file)
    if not 0 <= size <= LARGEST:
        raise MadangError("deposit.length", _("A file has at most one terabyte."))
    store.room_for(node.home, size)
    with doing(node, actor, DESCRIBE, lambda session: not_frozen(find(session, actor, name))) as done:
        deposit = done.thing
        done.tell(what=f"file {file}" + (f" from {origin}" if origin else ""))
        holds_files(deposit)
        found = place_for(deposit, file, size, wanted)
        if found not in done.session.new:
            return found
        deposit.changed, deposit.checked = now(), None
        done.session.flush()
    return found


def place_for(deposit: Deposit, file: str, size: int, wanted: str = "") -> DepositFile:
    """The place of a file within an act: the one that is there if it is the same and not yet whole, else a new one.

    Errors: `deposit.taken`, `deposit.length`.
    """
    there = next((each for each in deposit.files if each.name.casefold() == file.casefold()), None)
    if there is None:
        return _added(deposit, file, size, wanted)
    if there.name == file and there.bytes == size and not there.sha256:
        return there
    raise MadangError("deposit.taken", _("There is a file {name} already.").format(name=there.name))


def _added(deposit: Deposit, file: str, size: int, wanted: str) -> DepositFile:
    if len(deposit.files) >= MOST_FILES:
        raise MadangError("deposit.length", _("A deposit has at most {most} files.").format(most=MOST_FILES))
    found = DepositFile(deposit_id=deposit.id, name=file, bytes=size, wanted=wanted.lower())
    deposit.files.append(found)
    return found


def plain_files(folder: Path) -> Iterator[Path]:
    """Every plain file below a folder; links are not followed."""
    for at, _folders, names in os.walk(folder):
        for each in names:
            path = Path(at) / each
            if not path.is_symlink() and path.is_file():
                yield path


def finish(node: Node, actor: Actor, name: str, number: int) -> DepositFile:
    """Hash a file that is all there and put it in its place; done twice it is done once.

    Errors: `deposit.offset`, `deposit.hash` where the depositor's hash is another one.
    """
    deposit = see(node, actor, name)
    file = file_of(deposit, number)
    if file.sha256:
        return file
    path = store.part(node.home, number)
    if store.offset(node.home, number) != file.bytes:
        raise MadangError("deposit.offset", _("The file {name} is not all there yet.").format(name=file.name))
    if file.bytes == 0:
        path.touch(mode=0o600)
    sha256, md5 = store.digests_of_part(path)
    if file.wanted and file.wanted not in (sha256, md5):
        with doing(node, actor, DESCRIBE, lambda session: not_frozen(find(session, actor, name))) as refused:
            refused.thing.files.remove(file_of(refused.thing, number))
            refused.tell(what=f"refused {file.name}")
        path.unlink(missing_ok=True)
        raise store.other_hash(file.name)
    with doing(node, actor, PUT, lambda session: find(session, actor, name)) as done:
        found = file_of(done.thing, number)
        store.keep(node.home, path, sha256)
        found.sha256, found.md5 = sha256, md5
        done.tell(file=found.name, bytes=found.bytes, sha256=sha256)
    return found


def put_bytes(node: Node, actor: Actor, name: str, file: str, content: bytes) -> DepositFile:
    """Put a small file in whole. Errors: those of `reserve` and `finish`."""
    found = reserve(node, actor, name, file, len(content))
    at = store.offset(node.home, found.id)
    with store.appending(node.home, found.id, at, found.bytes) as part:
        part.back_to(0)  # of an earlier one that was stopped nothing is taken
        part.write(content)
    return finish(node, actor, name, found.id)


def file_of(deposit: Deposit, number: int) -> DepositFile:
    """A file of a deposit. Errors: `deposit.file.none`."""
    found = next((each for each in deposit.files if each.id == number), None)
    if found is None:
        raise MadangError("deposit.none", _("There is no such file in the deposit."))
    return found


def remove(node: Node, actor: Actor, name: str, file: str) -> None:
    """Take a file out of a draft, so that the right one can be put; what other deposits hold by its hash stays.

    Errors: `deposit.none`.
    """
    with doing(node, actor, DESCRIBE, lambda session: not_frozen(find(session, actor, name))) as done:
        found = next((each for each in done.thing.files if each.name == file), None)
        if found is None:
            raise MadangError("deposit.none", _("There is no such file in the deposit."))
        store.part(node.home, found.id).unlink(missing_ok=True)
        done.thing.files.remove(found)
        done.thing.changed = now()
        done.tell(what=f"removed {file}")


def swap(node: Node, actor: Actor, name: str, file: str) -> None:
    """Exchange the names of the two files of a pair, where mates came swapped: nothing is sent again, and what a list
    of hashes said of each stays with its content.

    Errors: `deposit.pair` where the other is missing or not all there, `deposit.none`.
    """
    with doing(node, actor, DESCRIBE, lambda session: not_frozen(find(session, actor, name))) as done:
        deposit = done.thing
        both = next((each for each in pairs.pairs_of(deposit.files) if file in (one.name for one in each.values())), {})
        if len(both) < 2 or not all(each.sha256 for each in both.values()):
            raise MadangError(
                "deposit.pair",
                _("The file {name} is not one of a pair of which both are there.").format(name=file[:80]),
                _("The two files of a pair are called alike, as a_R1.fastq.gz and a_R2.fastq.gz."),
            )
        lists.compare(node.home, deposit)  # by the names that the list knows
        one, two = both["1"], both["2"]
        first, second = one.name, two.name
        for each, called in ((one, "/"), (two, first), (one, second)):  # two of one name cannot be there
            each.name = called
            done.session.flush()
        deposit.changed = now()
        done.tell(what=f"swapped {first} and {second}")


def submit(node: Node, actor: Actor, name: str) -> None:
    """Give a deposit to the curators; everything wrong has to be put right first. Errors: `deposit.wrong`,
    `deposit.unread`."""
    from madang.services.deposits import checks

    found = [each for each in checks.check_quickly(node, actor, name) if each["severity"] == "wrong"]
    if found:
        raise MadangError(
            "deposit.wrong",
            _("{count} things are wrong, the first: {what}").format(count=len(found), what=found[0]["message"]),
            _("See all of them by `madang deposit check`."),
        )
    with doing(node, actor, SUBMIT, lambda session: find(session, actor, name)) as done:
        done.thing.asked = ""
        hashes = sorted(file.sha256 for file in done.thing.files)
        evidence = hashlib.sha256("".join(hashes).encode()).hexdigest()  # over what was found right
        grants.note_checked(done.session, actor, record_name(done.thing), evidence)


def give_back(node: Node, actor: Actor, name: str, question: str) -> None:
    """Ask the depositor something; they can change the deposit again."""
    question = clean_prose(question, _("The question"), 4_000, required=True)
    with doing(node, actor, RETURN, lambda session: find(session, actor, name)) as done:
        done.thing.asked = question
        done.tell(question=question)


def approve(node: Node, actor: Actor, name: str) -> str:
    """Take a deposit into the catalog as a draft of a record, data of people on request; the record's name. Where it
    has data of people and others, there are two records, and the one that is told has the others.

    Errors: `deposit.changed` where a file that was registered is not as it was.
    """
    deposit = see(node, actor, name)
    may_not = deposit.state != "submitted" or not may(actor, APPROVE, deposit)
    if may_not:
        with doing(node, actor, APPROVE, lambda session: find(session, actor, name)) as done:
            done.tell(record="", tier="")  # says why it cannot be done
    sources.all_as_they_were(deposit)
    tier = checking.tier(deposit)
    record = publishing.into_catalog(node, actor, deposit)
    with doing(node, actor, APPROVE, lambda session: find(session, actor, name)) as done:
        done.tell(record=record, tier=tier)
    return record


def record_name(deposit: Deposit) -> str:
    """The name that its record has, or will have, in the catalog."""
    return f"deposit-{deposit.name}"


def link_promise(node: Node, actor: Actor, name: str, promise: int) -> list[str]:
    """Say that a deposit keeps a promise of a grant; what is still missing for it to count, in sentences.

    Errors: `deposit.none`, `grants.none`.
    """
    deposit = see(node, actor, name)
    lacking = grants.link(node, actor, promise, record_name(deposit), coming=True)
    wrong = sum(each["severity"] == "wrong" for each in checking.findings(deposit))
    if deposit.state == "draft" and wrong:
        lacking = [_("{count} things in the deposit are wrong.").format(count=wrong), *lacking]
    return lacking


def note(node: Node, actor: Actor, name: str, accession: str) -> None:
    """Note the accession that a national station gave."""
    accession = clean_line(accession, _("The accession"), 100, required=True)
    with doing(node, actor, NOTE, lambda session: find(session, actor, name)) as done:
        done.thing.accession = accession
        done.tell(accession=accession)
