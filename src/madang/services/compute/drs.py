"""GA4GH DRS 1.4 at /ga4gh/drs/v1: files by an identifier that stays, their sizes and hashes, and where their bytes are.

    record~NAME~3   record~NAME~3~TABLE   record~NAME~3~TABLE~0     a version of the catalog, a table, one of its files
    task~7          task~7~0                                        what a task left, one of its files
    file~3                                                          a file that was brought
    permit~NUMBER   permit~NUMBER~TABLE   permit~NUMBER~TABLE~0     the extract of a permit

With tokens of the portal; open records need none. Of a permit's extract sizes and hashes are told, also to who brings a
visa of it (`passports`), and no bytes: work comes to them, as an input of a task (`aliases` say how it is named).
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Body
from starlette.responses import FileResponse, JSONResponse, Response

from madang import __version__
from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake import Version
from madang.node.permissions import may
from madang.services.compute import permitted, service, staging
from madang.services.compute.acts import USE_FILE
from madang.services.compute.models import TaskFile
from madang.services.compute.tes import Caller
from madang.web import Room
from madang.web.visit import Visit

room = Room("drs", __package__)
BASE = "/ga4gh/drs/v1"
MOST = 1_000  # objects of one request
_TEXT = "application/octet-stream"
_PARQUET = "application/vnd.apache.parquet"


@dataclass
class Object:
    """A file, or a bundle of some: what DRS tells of it."""

    id: str
    name: str
    created: datetime
    size: int = 0
    sha256: str = ""
    media: str = ""
    aliases: list[str] = field(default_factory=list)
    parts: list["Object"] = field(default_factory=list)
    stays: bool = False  # its bytes are given to nobody

    def summed(self) -> "Object":
        """A bundle with the size of its parts and the hash that DRS defines of theirs."""
        self.size = sum(each.size for each in self.parts)
        self.sha256 = hashlib.sha256("".join(sorted(each.sha256 for each in self.parts)).encode()).hexdigest()
        return self


def service_info(caller: Caller) -> Response:
    """What this service is, as GA4GH's service-info has it."""
    settings = caller.node.settings
    host = caller.request.url.hostname or "localhost"
    return JSONResponse(
        {
            "id": ".".join(["madang", "drs", *reversed(host.split("."))])[:200],
            "name": f"{settings.title} DRS",
            "type": {"group": "org.ga4gh", "artifact": "drs", "version": "1.4.0"},
            "description": "Versions of the catalog, files of tasks, and extracts of permits, by hash.",
            "organization": {"name": settings.title, "url": caller.origin},
            "version": __version__,
            "maxBulkRequestLength": MOST,
        }
    )


def get_object(caller: Caller, object_id: str, expand: bool = False) -> Response:
    """An object: its size, hash, and parts or where its bytes are."""
    return JSONResponse(_told(caller, _found(caller, object_id, ()), expand))


def post_object(caller: Caller, object_id: str, given: Annotated[dict[str, Any] | None, Body()] = None) -> Response:
    """The same for who brings GA4GH passports."""
    told = given or {}
    return JSONResponse(_told(caller, _found(caller, object_id, _passports(told)), told.get("expand") is True))


def post_objects(caller: Caller, given: Annotated[dict[str, Any], Body()]) -> Response:
    """Many objects at once; those that are not found are named."""
    wanted = given.get("bulk_object_ids")
    if not isinstance(wanted, list) or not all(isinstance(each, str) for each in wanted):
        raise MadangError("object.request", _("{name} is no list of identifiers.").format(name="bulk_object_ids"))
    if len(wanted) > MOST:
        raise MadangError("object.request", _("At most {most} objects are told at once.").format(most=MOST))
    passports, resolved, missing = _passports(given), [], []
    for each in wanted:
        try:
            resolved.append(_told(caller, _found(caller, each, passports), False))
        except MadangError:
            missing.append(each)
    summary = {"requested": len(wanted), "resolved": len(resolved), "unresolved": len(missing)}
    unresolved = [{"error_code": 404, "object_ids": missing}] if missing else []
    return JSONResponse({"summary": summary, "resolved_drs_object": resolved, "unresolved_drs_objects": unresolved})


def options_object(caller: Caller, object_id: str) -> Response:
    """How one shows that one may see an object."""
    kinds = ["BearerAuth", "BasicAuth"]
    kinds += ["PassportAuth"] if object_id.startswith("permit~") else []
    told: dict[str, Any] = {"drs_object_id": object_id, "supported_types": kinds}
    if "PassportAuth" in kinds:
        told["passport_auth_issuers"] = [caller.origin]
    return JSONResponse(told)


def get_access(caller: Caller, object_id: str, access_id: str) -> Response:
    """The address of an object's bytes."""
    found = _found(caller, object_id, ())
    if access_id != "https" or found.stays or found.parts:
        raise _none()
    return JSONResponse({"url": _address(caller, found)})


def get_bytes(caller: Caller, object_id: str) -> Response:
    """The bytes of an object; parts of them by the header `Range`."""
    kind, _tilde, rest = object_id.partition("~")
    words = rest.split("~")
    if kind == "record" and len(words) == 4:
        from madang.services.catalog.handout import hand_out

        found = _found(caller, object_id, ())
        given = hand_out(caller.node, caller.actor, words[0], _number(words[1]), words[2], "parquet", file=found.sha256)
        assert isinstance(given.content, Path)  # it is one file
        return FileResponse(given.content, media_type=given.media, filename=given.name)
    if kind == "task" and len(words) == 2:
        task = service.see_inside(caller.node, caller.actor, _number(words[0]), leaving=True)
        name = _part(service.result_of(task)["outputs"], words[1])["name"]
        path = staging.output_path(caller.node, task.id, name)
        return FileResponse(path, media_type=_TEXT, filename=path.name)
    if kind == "file" and len(words) == 1:
        brought = _brought(caller, words[0])
        path = caller.node.home.folder("compute") / "brought" / brought.hash
        return FileResponse(path, media_type=_TEXT, filename=brought.name)
    raise _none()


def _found(caller: Visit, object_id: str, passports: tuple[str, ...]) -> Object:
    """The object of an identifier, as who asks may know of it. Errors: `object.none`, `task.closed`."""
    kind, _tilde, rest = object_id.partition("~")
    words = rest.split("~")
    if not rest or len(object_id) > 500:
        raise _none()
    if kind == "record" and 2 <= len(words) <= 4:
        return _of_version(_published(caller, words), f"record~{words[0]}~{words[1]}", words[2:], "record", words[0])
    if kind == "permit" and 1 <= len(words) <= 3:
        extract = _extract(caller, words[0], passports)
        return _of_version(extract, f"permit~{words[0]}", words[1:], "permit", words[0])
    if kind == "task" and len(words) <= 2:
        return _of_task(caller, words)
    if kind == "file" and len(words) == 1:
        found = _brought(caller, words[0])
        aliases = [f"madang://file/{found.id}"]
        return Object(object_id, found.name, found.created, found.size, found.hash, _TEXT, aliases)
    raise _none()


def _of_version(version: Version, base: str, words: list[str], kind: str, name: str) -> Object:
    created = datetime.fromisoformat(str(version.manifest["created"]).replace("Z", "+00:00"))
    stays = kind == "permit"
    number = f"@{version.number}" if kind == "record" else ""
    tables = []
    for table, held in sorted(version.tables.items()):
        files = [
            Object(
                f"{base}~{table}~{place}",
                f"{table}-{place}.parquet",
                created,
                path.stat().st_size,
                file.sha256,
                _PARQUET,
                stays=stays,
            )
            for place, (file, path) in enumerate(zip(held.files, held.paths, strict=True))
        ]
        alias = f"madang://{kind}/{name}{number}/{table}"
        tables.append(Object(f"{base}~{table}", table, created, aliases=[alias], parts=files).summed())
    whole = Object(base, version.name, created, aliases=[f"madang://{kind}/{name}{number}"], parts=tables).summed()
    if not words:
        return whole
    table_ = next((each for each in tables if each.name == words[0]), None)
    if table_ is None:
        raise _none()
    return table_ if len(words) == 1 else _part(table_.parts, words[1])


def _published(caller: Visit, words: list[str]) -> Version:
    from madang.services.catalog import service as catalog

    record = catalog.see(caller.node, caller.actor, words[0])
    shown = catalog.published_version(record, _number(words[1]))
    if not may(caller.actor, "record.read", record):
        raise _none()
    return caller.node.home.lake().dataset(record.dataset).version(shown.number)


def _extract(caller: Visit, number: str, passports: tuple[str, ...]) -> Version:
    from madang.services.access import permits_of_visas

    shown = bool(passports) and number in permits_of_visas(caller.node, passports)
    try:
        return permitted.extract_for(caller.node, caller.actor, number, shown=shown)
    except MadangError as error:
        if error.code != "task.input":
            raise
        raise _none() from None


def _of_task(caller: Visit, words: list[str]) -> Object:
    task = service.see_inside(caller.node, caller.actor, _number(words[0]), leaving=True)
    parts = [
        Object(
            f"task~{task.id}~{place}",
            each["name"],
            task.ended or task.created,
            each["size"],
            each["sha256"],
            _TEXT,
            [f"madang://task/{task.id}/{quote(each['name'])}"],
        )
        for place, each in enumerate(service.result_of(task)["outputs"])
    ]
    if len(words) == 2:
        return _part(parts, words[1])
    return Object(f"task~{task.id}", service.title_of(task), task.ended or task.created, parts=parts).summed()


def _brought(caller: Visit, number: str) -> TaskFile:
    with caller.node.read() as session:
        found = session.get(TaskFile, _number(number))
        if found is None or not may(caller.actor, USE_FILE, found):
            raise _none()
    caller.node.audit.read(caller.actor, USE_FILE.name, f"taskfile:{found.id}")
    return found


def _told(caller: Visit, found: Object, expand: bool) -> dict[str, Any]:
    """An object as DRS shows it."""
    when = found.created.isoformat(timespec="seconds").replace("+00:00", "Z")
    host = caller.origin.partition("://")[2]
    told: dict[str, Any] = {
        "id": found.id,
        "name": found.name.rpartition("/")[2],
        "self_uri": f"drs://{host}/{found.id}",
        "size": found.size,
        "created_time": when,
        "checksums": [{"type": "sha-256", "checksum": found.sha256}],
    }
    told |= {"mime_type": found.media} if found.media else {}
    told |= {"aliases": found.aliases} if found.aliases else {}
    if found.parts:
        told["contents"] = [_content(host, each, expand) for each in found.parts]
    elif not found.stays:
        where = {"url": _address(caller, found)}
        told["access_methods"] = [{"type": "https", "access_id": "https", "access_url": where}]
    return told


def _content(host: str, found: Object, expand: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"name": found.name, "id": found.id, "drs_uri": [f"drs://{host}/{found.id}"]}
    if expand and found.parts:
        told["contents"] = [_content(host, each, True) for each in found.parts]
    return told


def _address(caller: Visit, found: Object) -> str:
    return f"{caller.origin}{BASE}/objects/{quote(found.id)}/bytes"


def _passports(given: dict[str, Any]) -> tuple[str, ...]:
    told = given.get("passports") or []
    if not isinstance(told, list) or not all(isinstance(each, str) for each in told):
        raise MadangError("object.request", _("{name} is no list of identifiers.").format(name="passports"))
    return tuple(told)


def _part(parts: list[Any], place: str) -> Any:
    if not place.isdecimal() or len(place) > 6 or int(place) >= len(parts):
        raise _none()
    return parts[int(place)]


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise _none()
    return int(text)


def _none() -> MadangError:
    return MadangError("object.none", _("There is no such object that you may see."), _("Look at its identifier."))


def _add(path: str, function: Any, method: str = "GET") -> None:
    described = room._described(function) | {"response_model": None, "status_code": 200}  # as all doors are described
    room.router.add_api_route(BASE + path, function, methods=[method], **described, max_body_size=4 << 20)


_add("/service-info", service_info)
_add("/objects", post_objects, "POST")
_add("/objects/{object_id}", get_object)
_add("/objects/{object_id}", post_object, "POST")
_add("/objects/{object_id}", options_object, "OPTIONS")
_add("/objects/{object_id}/access/{access_id}", get_access)
_add("/objects/{object_id}/bytes", get_bytes)
