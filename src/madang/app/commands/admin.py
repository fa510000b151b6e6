"""`madang admin`: people, organizations and roles, by the owner of the home."""

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from madang.base.translate import _

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from madang.node.node import Node
    from madang.node.people import Actor

app = typer.Typer(no_args_is_help=True, add_completion=False)

Login = Annotated[str, typer.Argument(help=_("Name of the account."))]
RoleName = Annotated[str, typer.Argument(help=_("Name of the role, such as steward."))]
InOrganization = Annotated[
    str, typer.Option("--in", help=_("Short name of the organization; the node itself if missing."))
]
FromInput = Annotated[
    bool, typer.Option("--password-from-input", help=_("Read the password from the standard input instead of asking."))
]
AsJson = Annotated[bool, typer.Option("--json", help=_("Print JSON."))]


@app.callback()
def admin() -> None:
    """Make accounts, give roles, add organizations."""


@app.command()
def create(
    login: Login,
    name: Annotated[str, typer.Option(help=_("Name of the person."))],
    email: Annotated[str, typer.Option(help=_("E-mail address."))] = "",
    role: Annotated[list[str] | None, typer.Option(help=_("Role in the node, may be repeated."))] = None,
    from_input: FromInput = False,
    no_password: Annotated[
        bool, typer.Option("--no-password", help=_("The person signs in through the provider only."))
    ] = False,
) -> None:
    """Make an account; the first person of a node usually gets `--role administrator`."""
    from madang.node.people.accounts import create_person, give_role, list_people

    with _node() as node:
        password = None if no_password else _password(from_input)
        # The first account is the operator's own; whoever comes later chooses a password when they first sign in.
        others = bool(list_people(node, _commander(node)))
        number = create_person(
            node, _commander(node), login, name, email=email, password=password, to_be_changed=others
        )
        for each in role or []:
            give_role(node, _commander(node), number, each)
        _say(_("Made the account {login}.").format(login=login))


@app.command("list")
def list_accounts(as_json: AsJson = False) -> None:
    """List the accounts with their roles."""
    from madang.base.console import show_table
    from madang.node.people.accounts import list_people

    with _node() as node:
        rows = [
            {
                "login": person.login,
                "name": person.name,
                "roles": ", ".join(
                    role.role if role.organization_id == 1 else f"{role.role} ({role.organization.name})"
                    for role in person.roles
                ),
                "codes": person.code_secret is not None,
                "disabled": person.disabled.isoformat(timespec="seconds") if person.disabled else None,
            }
            for person in list_people(node, _commander(node))
        ]
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))
    elif rows:
        heads = [_("account"), _("name"), _("roles"), _("one-time codes"), _("disabled")]
        show_table(_("Accounts"), heads, [list(row.values()) for row in rows])
    else:
        _say(_("There is nobody yet; `madang admin create` makes the first account."))


@app.command()
def password(login: Login, from_input: FromInput = False) -> None:
    """Set somebody's password; their sessions end."""
    from madang.node.people.accounts import set_password

    with _node() as node:
        number = _number(node, login)
        if set_password(node, _commander(node), number, _password(from_input), to_be_changed=True):
            _say(_("This waits for a second person."))
            return
        _say(_("The password of {login} is set.").format(login=login))


@app.command()
def invite(login: Login) -> None:
    """Make a link with which somebody chooses their password, once; it is sent by e-mail where a server is set."""
    from madang.node.people.invitations import invite as make

    with _node() as node:
        settings = node.settings.web
        site = settings.address or f"http://{settings.host}:{settings.port}"
        link = make(node, _commander(node), _number(node, login), site)
        if link:
            print(link)
        else:
            _say(_("The invitation is on its way to {login}.").format(login=login))


@app.command("forget-codes")
def forget_codes(login: Login) -> None:
    """Ask somebody who lost everything for no one-time codes any more."""
    from madang.node.people.second import clear_codes

    with _node() as node:
        if clear_codes(node, _commander(node), _number(node, login)):
            _say(_("This waits for a second person."))
            return
        _say(_("{login} signs in without one-time codes.").format(login=login))


@app.command()
def disable(login: Login) -> None:
    """Disable an account: its sessions end and its tokens stop."""
    from madang.node.people.accounts import set_disabled

    with _node() as node:
        set_disabled(node, _commander(node), _number(node, login), True)
        _say(_("{login} is disabled.").format(login=login))


@app.command()
def enable(login: Login) -> None:
    """Enable an account again."""
    from madang.node.people.accounts import set_disabled

    with _node() as node:
        set_disabled(node, _commander(node), _number(node, login), False)
        _say(_("{login} is enabled.").format(login=login))


@app.command()
def give(login: Login, role: RoleName, organization: InOrganization = "house") -> None:
    """Have somebody hold a role."""
    from madang.node.people.accounts import give_role

    with _node() as node:
        if give_role(node, _commander(node), _number(node, login), role, _organization(node, organization)):
            _say(_("This waits for a second person."))
            return
        _say(_("{login} holds the role {role}.").format(login=login, role=role))


@app.command()
def take(login: Login, role: RoleName, organization: InOrganization = "house") -> None:
    """Have somebody hold a role no longer."""
    from madang.node.people.accounts import take_role

    with _node() as node:
        take_role(node, _commander(node), _number(node, login), role, _organization(node, organization))
        _say(_("{login} no longer holds the role {role}.").format(login=login, role=role))


@app.command()
def organization(
    name: Annotated[str, typer.Argument(help=_("Short name: small letters, digits and -."))],
    title: Annotated[str, typer.Option(help=_("Name as people read it."))],
    title_en: Annotated[str, typer.Option(help=_("The same in English."))] = "",
) -> None:
    """Add an organization."""
    from madang.node.people.accounts import create_organization

    with _node() as node:
        create_organization(node, _commander(node), name, title, title_en)
        _say(_("Added the organization {name}.").format(name=name))


def _node() -> "AbstractContextManager[Node]":
    from madang.node.node import opened

    return opened()


def _commander(node: "Node") -> "Actor":
    from madang.node.people.tokens import commander

    return commander(node)


def _number(node: "Node", login: str) -> int:
    from madang.node.people.accounts import find_person

    with node.read() as session:
        return find_person(session, login).id


def _organization(node: "Node", name: str) -> int:
    from madang.node.people.accounts import find_organization

    with node.read() as session:
        return find_organization(session, name).id


def _password(from_input: bool) -> str:
    if from_input:
        return sys.stdin.readline().rstrip("\r\n")
    answer: str = typer.prompt(_("Password"), hide_input=True, confirmation_prompt=True)
    return answer


def _say(text: str) -> None:
    from madang.base.console import console

    console().print(text, markup=False)
