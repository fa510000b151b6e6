"""`madang alliance`: partners, what is shared, studies that are asked and studies that are decided on."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.services.alliance import carried
from madang.services.alliance.said import AsJson, File, Number, Reason, acting, node_of, read, say, write

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.command("invite")
def invite_command(
    name: Annotated[str, typer.Argument(help=_("What to call the node here; its own name if not given."))] = "",
    agreement: Annotated[Path | None, typer.Option(help=_("The agreement (.toml); the usual limits if none."))] = None,
    address: Annotated[str, typer.Option(help=_("Where it reaches this node; the setting web.address if none."))] = "",
    as_json: AsJson = False,
) -> None:
    """Invite another node: prints a one-time code for its operator, and our key in words."""
    from madang.services.alliance import partners, wire

    document = partners.read_agreement(read(agreement)) if agreement is not None else None
    with node_of() as node:
        made, code = partners.invite(node, acting(node), name, document, address)
        words = wire.in_words(wire.identity(node.home).public)
    if as_json:
        print(json.dumps({"partner": made.name, "code": code, "words": words}))
        return
    print(code)
    say(_("Our key in words: {words}").format(words=words))
    say(_("Once the other node has joined, compare its words and run `madang alliance confirm NAME`."))


@app.command("join")
def join_command(
    code: Annotated[str, typer.Argument(help=_("The code of the invitation."))],
    name: Annotated[str, typer.Option(help=_("What to call the node here."))] = "",
    authority: Annotated[Path | None, typer.Option(help=_("Certificate (PEM) that vouches for its TLS."))] = None,
    certificate: Annotated[Path | None, typer.Option(help=_("Our own certificate (PEM), if it asks for one."))] = None,
    key: Annotated[Path | None, typer.Option(help=_("The key of our own certificate (PEM)."))] = None,
    as_json: AsJson = False,
) -> None:
    """Accept an invitation, sign its agreement, and print both keys in words."""
    from madang.services.alliance import agent, partners, wire

    trust = read(authority).decode("utf-8", "replace") if authority is not None else ""
    with node_of() as node:
        if certificate is not None:
            agent.show_certificate(node, acting(node), read(certificate), read(key) if key is not None else b"")
        made = partners.join(node, acting(node), code, name, trust)
        told = {
            "partner": made.name,
            "theirs": wire.in_words(made.key),
            "ours": wire.in_words(wire.identity(node.home).public),
            "agreement": json.loads(made.agreements[0].document) if "agreements" in made.__dict__ else None,
        }
    if as_json:
        print(json.dumps(told, ensure_ascii=False))
        return
    say(_("{partner} is a partner; its key in words: {words}").format(partner=told["partner"], words=told["theirs"]))
    say(_("Read it ours: {words}").format(words=told["ours"]))


@app.command("confirm")
def confirm_command(name: Annotated[str, typer.Argument(help=_("Partner."))]) -> None:
    """Confirm a node that has joined, after its words were compared."""
    from madang.services.alliance import partners, wire

    with node_of() as node:
        made = partners.confirm(node, acting(node), name)
    say(_("{partner} is confirmed; its key in words: {words}").format(partner=made.name, words=wire.in_words(made.key)))


@app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """List partners, studies and what is shared."""
    from madang.base.console import show_table
    from madang.services.alliance.shown import overview

    with node_of() as node:
        told = overview(node, acting(node))
    if as_json:
        print(json.dumps(told, ensure_ascii=False, default=str))
        return
    rows = [[p["number"], p["name"], p["state_label"], p["words"]] for p in told["partners"]]
    show_table(_("Partners"), [_("number"), _("name"), _("state"), _("key in words")], rows)
    lines = [[s["number"], s["title"], s["whose"], s["state_label"]] for s in told["studies"]]
    show_table(_("Studies"), [_("number"), _("title"), _("asked by"), _("state")], lines)
    shared = [[s["name"], s["digest"][:12], s["vocabulary"]] for s in told["shares"]]
    show_table(_("Shared here"), [_("name"), _("hash"), _("vocabulary")], shared)


@app.command("leave")
def leave_command(name: Annotated[str, typer.Argument(help=_("Partner."))], reason: Reason = "") -> None:
    """Leave a partner, at once."""
    from madang.services.alliance import agent

    with node_of() as node:
        left = agent.goodbye(node, acting(node), name, reason)
    say(_("{partner} was left.").format(partner=left.name))


@app.command("amend")
def amend_command(
    name: Annotated[str, typer.Argument(help=_("Partner."))],
    agreement: Annotated[Path, typer.Argument(help=_("The new agreement (.toml)."))],
) -> None:
    """Propose the next version of the agreement; it holds once both have signed."""
    from madang.services.alliance import partners

    document = partners.read_agreement(read(agreement))
    with node_of() as node:
        made = partners.amend(node, acting(node), name, document)
    say(_("Version {version} is proposed.").format(version=made.version))


@app.command("agree")
def agree_command(name: Annotated[str, typer.Argument(help=_("Partner."))]) -> None:
    """Sign the version of the agreement that a partner proposed."""
    from madang.services.alliance import partners

    with node_of() as node:
        made = partners.agree(node, acting(node), name)
    say(_("Version {version} is signed by both.").format(version=made.version))


@app.command("rule")
def rule_command(
    name: Annotated[str, typer.Argument(help=_("Partner."))],
    kinds: Annotated[list[str] | None, typer.Argument(help=_("Estimators that need no person; none: no rule."))] = None,
) -> None:
    """Set the estimators that a standing rule approves for a partner."""
    from madang.services.alliance import partners

    with node_of() as node:
        partners.stand(node, acting(node), name, kinds or [])


@app.command("share")
def share_command(
    name: Annotated[str, typer.Argument(help=_("Name by which studies call it."))],
    file: Annotated[Path | None, typer.Option(help=_("A CSV or Parquet file with one row of each person."))] = None,
    dataset: Annotated[str, typer.Option(help=_("A version of a dataset, such as ours@3."))] = "",
    sql: Annotated[
        str, typer.Option(help=_("A query on it that makes one row of each person, in a fixed order."))
    ] = "",
    unit: Annotated[list[str] | None, typer.Option(help=_("Unit of a column, such as weight=kg."))] = None,
    vocabulary: Annotated[str, typer.Option(help=_("Release of the vocabulary that it was made with."))] = "",
    country: Annotated[str, typer.Option(help=_("Country in which the data are."))] = "",
) -> None:
    """Let studies ask about a file or a query; rows stay here."""
    from madang.services.alliance import shares

    units = {}
    for each in unit or []:
        column, equals, meant = each.partition("=")
        if not equals:
            raise MadangError("command.usage", _("{text} is no unit.").format(text=each), "--unit weight=kg")
        units[column] = meant
    with node_of() as node:
        made = shares.share(
            node,
            acting(node),
            name,
            file=file,
            dataset=dataset,
            sql=sql,
            units=units,
            vocabulary=vocabulary,
            country=country,
        )
    say(_("{name} can be asked about.").format(name=made.name))


@app.command("ask")
def ask_command(
    study: Annotated[Path, typer.Argument(help=_("The study (.toml)."))],
    out: Annotated[
        Path | None, typer.Option("--json", help=_("Write the answer as JSON to this file; - prints."))
    ] = None,
    partner: Annotated[list[str] | None, typer.Option(help=_("Ask only this partner (again for more)."))] = None,
    wait: Annotated[float, typer.Option(help=_("Seconds to wait for decisions."))] = 600.0,
    patience: Annotated[float, typer.Option(help=_("Seconds that a site has for each answer."))] = 60.0,
) -> None:
    """Ask a question of partners: waits for their decisions, runs the rounds, writes the pooled answer."""
    from madang.science.federated.study import read_study
    from madang.services.alliance import coordinate

    question = read_study(read(study))
    with node_of() as node:
        actor = acting(node)
        asked = coordinate.ask(node, actor, question, partner or [])
        answer = coordinate.decided_and_run(node, actor, asked.id, wait, patience=patience)
    _told(answer, out)


def _told(answer: dict[str, Any], out: Path | None) -> None:
    text = json.dumps(answer, ensure_ascii=False, indent=1)
    if out is not None and str(out) != "-":
        write(out, text.encode())
        inside = [each["site"] for each in answer.get("sites", []) if each["in"]]
        say(_("The answer is in {file}; in it are {sites}.").format(file=out, sites=", ".join(inside) or "-"))
        return
    print(text)


@app.command("try")
def try_command(
    study: Annotated[Path, typer.Argument(help=_("The study (.toml)."))],
    data: Annotated[
        list[Path] | None,
        typer.Argument(help=_("A file for each site, synthetic or open; none: the simulated sites.")),
    ] = None,
    out: Annotated[Path | None, typer.Option("--json", help=_("Write the answer as JSON to this file."))] = None,
    limits: Annotated[Path | None, typer.Option(help=_("An agreement whose limits are tried (.toml)."))] = None,
) -> None:
    """Try a study before anybody is asked: on the simulated sites, or on files as if each were a site."""
    from madang.science.federated.study import read_study
    from madang.services.alliance import coordinate, partners
    from madang.services.alliance.trying import try_study

    question = read_study(read(study))
    if data:
        agreed = partners.read_agreement(read(limits))["limits"] if limits is not None else {}
        _told(try_study(question, data, agreed), out)
        return
    with node_of() as node:
        actor = acting(node)
        asked = coordinate.ask(node, actor, question, simulated=True)
        answer = coordinate.decided_and_run(node, actor, asked.id, 60.0)
    _told(answer, out)


@app.command("simulate")
def simulate_command(
    name: Annotated[str, typer.Argument(help=_("What to call the simulated site."))],
    share: Annotated[str, typer.Argument(help=_("Name by which studies call its data."))],
    file: Annotated[Path | None, typer.Option(help=_("Made-up people (CSV or Parquet)."))] = None,
    like: Annotated[str, typer.Option(help=_("Make them up as this partner describes its data of that name."))] = "",
    people: Annotated[int, typer.Option(help=_("How many, with --like."), min=5, max=100_000)] = 400,
    seed: Annotated[int, typer.Option(help=_("Another number gives other people."))] = 0,
) -> None:
    """Make a simulated site on this node, to try studies on: with a file, or with a twin of a partner's description."""
    from madang.services.alliance import discover, shares, simulated

    if (file is None) == (not like):
        raise MadangError("command.usage", _("Give either --file or --like."))
    with node_of() as node:
        actor = acting(node)
        units = {}
        if file is not None:
            table = shares.read_table(file)
        else:
            from madang.science.federated.twins import twin

            told = discover.found_share(node, actor, like, share)
            table = twin(told, seed, people)
            units = {each["name"]: each["unit"] for each in told["columns"] if each.get("unit")}
        simulated.simulate(node, actor, name, share, table, units=units, vocabulary="simulated")
    say(
        _("{name} has {count} made-up people under the name {share}.").format(
            name=name, count=table.num_rows, share=share
        )
    )


@app.command("discover")
def discover_command(as_json: AsJson = False) -> None:
    """List the data of partners: whose they are, what they are called, and what is told of them."""
    from madang.base.console import show_table
    from madang.services.alliance import discover

    with node_of() as node:
        found = discover.discovered(node, acting(node))
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
        return
    rows = [
        [each["partner"], each["name"], str(each["people"] or ""), ", ".join(c["name"] for c in each["columns"]),
         each["vocabulary"], each["country"]]
        for each in found
    ]  # fmt: skip
    show_table(
        _("Data of partners"),
        [_("partner"), _("name"), _("people, at least"), _("columns"), _("vocabulary"), _("country")],
        rows,
    )


@app.command("show")
def show_command(number: Number, as_json: AsJson = False) -> None:
    """Say what a study asks, in words, and how it stands."""
    from madang.services.alliance.shown import study_shown

    with node_of() as node:
        told = study_shown(node, acting(node), number)
    if as_json:
        print(json.dumps(told, ensure_ascii=False, default=str))
        return
    for line in [told["title"], *told["words"], f"SHA-256 {told['digest']}", told["state_label"], told["problem"]]:
        if line:
            say(line)


@app.command("approve")
def approve_command(number: Number, reason: Reason = "") -> None:
    """Approve a study that a partner asks."""
    from madang.services.alliance import answering

    with node_of() as node:
        found = answering.approve(node, acting(node), number, reason)
    say(_("{title} is approved.").format(title=found.title))


@app.command("refuse")
def refuse_command(number: Number, reason: Reason = "") -> None:
    """Refuse a study, or withdraw from one."""
    from madang.services.alliance import answering

    with node_of() as node:
        found = answering.refuse(node, acting(node), number, reason)
    say(_("{title} is refused.").format(title=found.title))


@app.command("reconcile")
def reconcile_command(
    partner: Annotated[str, typer.Argument(help=_("Partner."))],
    wait: Annotated[float, typer.Option(help=_("Seconds to wait for its side."))] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Compare our audit with a partner's: what left, what came; exit 1 where they differ."""
    from madang.services.alliance.reconciling import reconcile

    with node_of() as node:
        found = reconcile(node, acting(node), partner, wait)
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        say(_("{count} answers are in both audits.").format(count=found["same"]))
        for name in ("only_we_told", "only_they_heard", "only_they_told", "only_we_heard"):
            for line in found[name]:
                say(f"{name}: {line}")
    raise typer.Exit(0 if found["agree"] else 1)


@app.command("wait")
def wait_command(
    seconds: Annotated[float | None, typer.Option(help=_("End after so many seconds; else at Ctrl-C."))] = None,
    once: Annotated[bool, typer.Option(help=_("Ask for work once, do it, and end."))] = False,
) -> None:
    """Ask partners for work and bring answers, outward only; this is what a site keeps running."""
    from madang.services.alliance import agent

    with node_of() as node:
        if once:
            agent.keep_waiting(node, seconds=0.5, wait=0.0)
        else:
            agent.keep_waiting(node, seconds=seconds)


@app.command("serve")
def serve_command(
    host: Annotated[str, typer.Option(help=_("Address to listen on."))] = "127.0.0.1",
    port: Annotated[int, typer.Option(help=_("Port to listen on."), min=0, max=65535)] = 8470,
    certificate: Annotated[Path | None, typer.Option(help=_("TLS certificate (PEM)."))] = None,
    key: Annotated[Path | None, typer.Option(help=_("Its private key (PEM)."))] = None,
    authority: Annotated[
        Path | None, typer.Option(help=_("Who vouches for partners' certificates (mutual TLS)."))
    ] = None,
) -> None:
    """Answer partners without the portal, with TLS of its own; the portal answers them as well."""
    from madang.services.alliance.serving import serve

    with node_of() as node:
        serve(node, host, port, certificate, key, authority)


@app.command("crate")
def crate_command(number: Number, file: File) -> None:
    """Write an answer as an RO-Crate (.zip): the study, the answer, and what was asked."""
    from madang.services.alliance.crate import crate_of

    with node_of() as node:
        write(file, crate_of(node, acting(node), number))
    say(_("The crate is in {file}.").format(file=file))


@app.command("run")
def run_command(
    number: Number,
    out: Annotated[Path | None, typer.Option("--json", help=_("Write the answer as JSON to this file."))] = None,
    patience: Annotated[float, typer.Option(help=_("Seconds that a site has for each answer."))] = 60.0,
) -> None:
    """Run a study that was asked, with the sites that have approved."""
    from madang.services.alliance import coordinate

    with node_of() as node:
        answer = coordinate.decided_and_run(node, acting(node), number, 0.0, patience=patience)
    _told(answer, out)


app.add_typer(carried.courier, name="courier")
app.add_typer(carried.hand, name="hand")
