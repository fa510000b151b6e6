"""`madang training`: check courses, grade answers, verify badges."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from madang.base.errors import MadangError
from madang.base.translate import _

app = typer.Typer(add_completion=False, no_args_is_help=True)
badge_app = typer.Typer(add_completion=False, no_args_is_help=True)
platform_app = typer.Typer(add_completion=False, no_args_is_help=True)
app.add_typer(platform_app, name="platform", help=_("Learning platforms from which people come by LTI 1.3."))
app.add_typer(badge_app, name="badge", help=_("Verify badges, take them back, hand out the list of those."))
LARGEST = 4 << 20


@app.command("check")
def check_command(
    course: Annotated[str, typer.Argument(help=_("Name or folder of one course; all of them without."))] = "",
    as_json: Annotated[Path | None, typer.Option("--json", help=_("Write the findings as JSON to this file."))] = None,
    quick: Annotated[bool, typer.Option("--quick", help=_("Look at syntax and data only; run nothing."))] = False,
) -> None:
    """Check courses: all code runs, every reference answer passes, every wrong answer fails."""
    from madang.base.console import console
    from madang.node import closed
    from madang.services.training import courses
    from madang.services.training.checking import check

    if not quick and not closed.is_available():
        raise MadangError(
            "closed.missing", _("Programs cannot be closed in on this machine."), _("Use --quick, which runs nothing.")
        )
    home = _home()
    found = [courses.find_course(course, home)] if course else _every(home)
    checked = [
        check(each, lake=_lake(), run=not quick, tell=lambda name: console().print(name, markup=False))
        for each in found
    ]
    _write(as_json, {"courses": [each.as_json() for each in checked]})
    problems = [f"{each.course}/{problem}" for each in checked for problem in each.problems]
    for each in checked:
        said = _("{course}: {cells} pieces of code run, {references} reference answers pass, {wrong} wrong ones fail.")
        console().print(said.format(**vars(each)), markup=False)
        for sentence in each.left:
            console().print(_("not looked at: {what}").format(what=sentence), markup=False)
    if problems:
        raise MadangError("course.failed", " ".join(problems[:20]), _("Correct these and check again."))


@app.command("grade")
def grade_command(
    task: Annotated[str, typer.Argument(help=_("COURSE/LESSON/TASK, a task's folder, or a notebook for nbgrader."))],
    file: Annotated[Path, typer.Argument(help=_("The answer."))],
    as_json: Annotated[Path | None, typer.Option("--json", help=_("Write the grade as JSON to this file."))] = None,
) -> None:
    """Grade an answer: it runs in a closed box that nobody used before, and only plain values come out."""
    from madang.base.console import console
    from madang.services.training import grader, notebook_grader
    from madang.services.training.courses import find_task
    from madang.services.training.data import data_of

    if task.endswith(".ipynb"):
        found = notebook_grader.grade(_bytes(Path(task)), _bytes(file))
    else:
        known, lesson = find_task(task, _home())
        grader.check_ready(known)
        found = grader.grade(known, _bytes(file), extra=data_of(lesson, _lake()) if lesson is not None else {})
    _write(as_json, found.as_json())
    if str(as_json) == "-":
        return
    console().print(_("{score:g} of {largest:g}").format(score=found.score, largest=found.largest_score), markup=False)
    for line in found.feedback:
        console().print(f"{line.case}. {line.text}", markup=False)
    if found.waiting:
        console().print(_("{points:g} points wait for a teacher.").format(points=found.waiting), markup=False)


@platform_app.command("add")
def platform_add_command(
    title: Annotated[str, typer.Argument(help=_("What it is called."))],
    issuer: Annotated[str, typer.Option(help=_("How it names itself, as https://lms.example.ac.kr."))],
    client: Annotated[str, typer.Option(help=_("Its number for us (client_id)."))],
    deployment: Annotated[list[str], typer.Option(help=_("Number of a deployment; repeatable."))],
    sign_in: Annotated[str, typer.Option(help=_("Its authorization endpoint."))],
    tokens: Annotated[str, typer.Option(help=_("Its access token URL."))],
    keys: Annotated[str, typer.Option(help=_("Its public keyset URL."))],
) -> None:
    """Register a learning platform."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.training import lti

    addresses = {"sign_in": sign_in, "tokens": tokens, "keys": keys}
    with opened() as node:
        actor, places = commander(node), " ".join(deployment)
        number = lti.add_platform(
            node, actor, title=title, issuer=issuer, client=client, deployments=places, **addresses
        )
    console().print(_("Platform {number} is registered.").format(number=number), markup=False)


@platform_app.command("list")
def platform_list_command(
    as_json: Annotated[Path | None, typer.Option("--json", help=_("Write them as JSON to this file."))] = None,
) -> None:
    """List the learning platforms."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.training import lti

    with opened() as node:
        found = lti.list_platforms(node, commander(node))
    rows = [{"number": p.id, "title": p.title, "issuer": p.issuer, "client": p.client, "state": p.state} for p in found]
    _write(as_json, {"platforms": rows})
    if str(as_json) != "-":
        for row in rows:
            console().print("  ".join(map(str, row.values())), markup=False)


@platform_app.command("close")
def platform_close_command(number: Annotated[int, typer.Argument(help=_("Its number."))]) -> None:
    """Let nobody in from a learning platform any more."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.training import lti

    with opened() as node:
        lti.close_platform(node, commander(node), number)
    console().print(_("Nobody comes in from platform {number} any more.").format(number=number), markup=False)


@badge_app.command("verify")
def verify_command(
    file: Annotated[Path, typer.Argument(help=_("The badge."))],
    key: Annotated[list[Path] | None, typer.Option(help=_("Public key of the issuer (JWK); repeatable."))] = None,
    status: Annotated[Path | None, typer.Option(help=_("Signed list of badges that were taken back."))] = None,
    holder: Annotated[str, typer.Option(help=_("Name of whom it should be."))] = "",
    as_json: Annotated[Path | None, typer.Option("--json", help=_("Write the answer as JSON to this file."))] = None,
) -> None:
    """Say whether a badge holds: one answer and a sentence. Ends with 0 if it is valid, else with 3.

    Without a key, those of the installation in MADANG_HOME are trusted, and its register is looked at.
    """
    from dataclasses import asdict

    from madang.base.console import console
    from madang.node import signing
    from madang.node.database import now
    from madang.node.home import Home
    from madang.services.training import badges, giving

    token = badges.token_in(_bytes(file))
    home = Home.find()
    keys = [each for path in key or [] for each in signing.read_keys(_bytes(path), str(path))]
    own = not keys and home.path.is_dir()
    if own:
        keys = signing.public_keys(home)
    listed = _bytes(status).decode("ascii", "replace") if status is not None else ""
    answer = badges.verify(token, keys, now(), status=listed, holder=holder)
    if answer.is_valid and own and not listed:
        revoked = giving.register_says(home, badges.uid_of(token))
        answer = badges.verify(token, keys, now(), revoked=revoked, holder=holder)
    _write(as_json, {"valid": answer.is_valid, **asdict(answer)})
    if str(as_json) != "-":
        console().print(f"{answer.state}: {answer.sentence}", markup=False)
        for text in (answer.title, answer.holder, answer.issuer, answer.course, answer.until):
            if text:
                console().print(text, markup=False)
        for name, told in answer.scores:
            console().print(f"{name}: {told}", markup=False)
    if not answer.is_valid:
        raise typer.Exit(3)


@badge_app.command("revoke")
def revoke_command(
    uid: Annotated[str, typer.Argument(help=_("Identifier of the badge."))],
    reason: Annotated[str, typer.Option(help=_("Why."))],
) -> None:
    """Take a badge back for good."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.training import giving

    with opened() as node:
        giving.revoke(node, commander(node), uid, reason)
    console().print(_("The badge is taken back."), markup=False)


@badge_app.command("withdraw")
def withdraw_command(
    version: Annotated[str, typer.Argument(help=_("Version of a course, as its badges name it, in full."))],
    reason: Annotated[str, typer.Option(help=_("Why."))],
) -> None:
    """Take back every badge of a version of a course that turned out to be wrong."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.training import giving

    with opened() as node:
        count = giving.withdraw_version(node, commander(node), version, reason)
    console().print(_("{count} badges are taken back.").format(count=count), markup=False)


@badge_app.command("status")
def status_command(
    out: Annotated[Path, typer.Argument(help=_("File to write."))],
    origin: Annotated[str, typer.Option(help=_("Address of the portal, as its badges name it."))] = "",
) -> None:
    """Hand out the list of badges that were taken back, signed for 30 days."""
    from madang.node.node import opened
    from madang.services.training import giving

    with opened() as node:
        text = giving.status_list(node, origin)
    try:
        out.write_text(text + "\n", "ascii")
    except OSError as error:
        message = _("{file} cannot be written.").format(file=out)
        raise MadangError("answer.file", message, str(error.strerror)) from None


def _home() -> Path:
    """The home of the installation; it need not be there."""
    from madang.node.home import Home

    return Home.find().path


def _every(home: Path) -> list[Any]:
    from madang.science.grading.tasks import is_name
    from madang.services.training import courses

    places = [place for place in courses.folders(home) if place.is_dir()]
    found = [each for place in places for each in sorted(place.iterdir()) if (each / "course.toml").is_file()]
    return [courses.read_course(each) for each in found if is_name(each.name)]


def _lake() -> Any:
    """The lake of this computer's installation, for the datasets that lessons name."""
    from madang.node.home import Home

    return Home.find().lake()


def _bytes(path: Path) -> bytes:
    """A file that somebody names. Errors: `answer.file`, `answer.large`."""
    try:
        if not path.is_file():
            raise OSError(2, "no file")
        if path.stat().st_size > LARGEST:
            raise MadangError("answer.large", _("{file} is larger than 4 MB.").format(file=path))
        return path.read_bytes()
    except OSError as error:
        raise MadangError("answer.file", _("{file} cannot be read.").format(file=path), str(error.strerror)) from None


def _write(path: Path | None, document: dict[str, Any]) -> None:
    if path is None:
        return
    text = json.dumps(document, ensure_ascii=True, indent=1)
    if str(path) == "-":
        print(text)
        return
    try:
        path.write_text(text + "\n", "utf-8")
    except OSError as error:
        raise MadangError(
            "answer.file", _("{file} cannot be written.").format(file=path), str(error.strerror)
        ) from None
