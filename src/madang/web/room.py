"""A room's doors: one function, two answers. The page for people, the same value as JSON for programs.

    room = Room("catalog", __package__)

    @room.page("/records/{name}", "record.html")
    def record(visit: Here, name: str) -> RecordView: ...            # GET /records/x and GET /api/v1/records/x

    @room.act("/records/{name}/withdraw", at=withdraw_page)
    def withdraw(visit: Here, name: str, given: Withdraw) -> Done: ...   # POST of a form, POST of JSON

What the function returns is what the template sees as `page`. After an act the browser goes where `Done.see` says; if
the act is refused, the page of the form comes again, with the sentence and what was filled in.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.web import notes, pages, problems

PREFIX = "/api/v1"
LARGEST = 2 * 1024 * 1024  # bytes of a request's body

_JSON: dict[str, Any] = {"response_model": None, "include_in_schema": False, "response_class": JSONResponse}

Number = Annotated[int, Field(ge=1, le=2**31 - 1)]
"""What rows of a table are named by in an address or a form; both databases can hold it."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


class View(BaseModel):
    """A value that a page shows and its JSON twin gives."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=False)


class Done(View):
    """What an act leads to: a sentence, and the address where its outcome is seen."""

    see: str
    message: str = ""


_homes: dict[Callable[..., Any], "Room"] = {}  # of each page's function: a form may be at the page of another file


class Room:
    """The doors of one room. `package` is where its templates are; several files of a room may share one."""

    def __init__(self, name: str, package: str) -> None:
        self.name = name
        self.package = package
        self.router = APIRouter()
        self.templates: dict[Callable[..., Any], str] = {}  # of each page's function
        self.foreign: set[str] = set()  # paths to which pages of other sites may post, without cookies
        self.helpers: dict[str, Any] = {}  # what its templates can call besides the page's value

    def page(self, path: str, template: str) -> Callable[[_Function], _Function]:
        """Show what the function returns at `path`, and give it as JSON at /api/v1 + `path`."""

        def add(function: _Function) -> _Function:
            @functools.wraps(function)
            def shown(**given: Any) -> Response:
                value = function(**given)
                return _shown(self, template, value, _visit(given), status=getattr(value, "http_status", 200))

            self._route(path, shown, ["GET", "HEAD"], response_model=None, include_in_schema=False)
            self._route(PREFIX + path, _with_status(function), ["GET"], **self._described(function))
            self._route(PREFIX + path, _with_status(function), ["HEAD"], **_JSON)
            self.templates[function] = template
            _homes[function] = self
            return function

        return add

    def act(self, path: str, *, at: Callable[..., Any], largest: int = LARGEST) -> Callable[[_Function], _Function]:
        """Do what a form asks: POST at `path` as a page at whose form `at` is, and as JSON below /api/v1.

        The function's parameter `given`, if it has one, is a Pydantic model of the form's fields. `largest` is how
        many bytes a form may have.
        """

        def add(function: _Function) -> _Function:
            model = get_type_hints(function).get("given")

            @functools.wraps(function)
            def sent(**given: Any) -> Response:
                visit, fields = _visit(given), given.pop("_fields")
                try:
                    if model is not None:
                        given["given"] = _model(model, fields)
                    done = function(**given)
                except MadangError as error:
                    return self._again(at, given, fields, error)
                if isinstance(done, Response):
                    return done
                if isinstance(done, Done):
                    answer = RedirectResponse(done.see, 303)
                    notes.leave(answer, visit.request, done.message)
                    return answer
                home = _homes[at]
                return _shown(home, home.templates[at], done, visit, given=fields)

            sent.__signature__ = _with_fields(function)  # type: ignore[attr-defined]  # how FastAPI is told
            self._route(path, sent, ["POST"], response_model=None, include_in_schema=False, max_body_size=largest)
            self._route(PREFIX + path, function, ["POST"], **self._described(function))
            return function

        return add

    def post_from_elsewhere(self, path: str) -> Callable[[_Function], _Function]:
        """Answer a form that another site's page sends: the function gets `fields`, and no cookie comes with it.

        Whoever uses it proves by what is in the fields that they may be believed.
        """

        def add(function: _Function) -> _Function:
            @functools.wraps(function)
            def sent(**given: Any) -> Response:
                fields = given.pop("_fields")
                return function(**given, fields=fields)

            signature = _with_fields(function)
            kept = [each for each in signature.parameters.values() if each.name != "fields"]
            sent.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]  # how FastAPI is told
            self.foreign.add(path)
            self._route(path, sent, ["POST"], response_model=None, include_in_schema=False)
            return function

        return add

    def bytes(self, path: str, *media: str) -> Callable[[_Function], _Function]:
        """Give out what the function answers (a file, a stream), at `path` and at /api/v1 + `path`.

        `media` are the media types that it may have, for the description; none where it only leads elsewhere.
        """

        def add(function: _Function) -> _Function:
            described = self._described(function)
            if media:
                found = {"description": "The content.", "content": {each: {} for each in media}}
                described |= {"responses": {**described["responses"], 200: found}, "status_code": 200}
            self._route(path, function, ["GET"], response_model=None, include_in_schema=False)
            self._route(path, _head_of(function), ["HEAD"], response_model=None, include_in_schema=False)
            self._route(PREFIX + path, function, ["GET"], **described)
            self._route(PREFIX + path, _head_of(function), ["HEAD"], response_model=None, include_in_schema=False)
            return function

        return add

    def _route(self, path: str, function: Callable[..., Any], methods: list[str], **options: Any) -> None:
        html = {"response_class": HTMLResponse} if not options.get("include_in_schema", True) else {}
        self.router.add_api_route(path, function, methods=methods, **({"max_body_size": LARGEST} | html | options))

    def _described(self, function: Callable[..., Any]) -> dict[str, Any]:
        """How the OpenAPI description calls it: the docstring's first line, the room as its tag."""
        first, _blank, rest = (inspect.getdoc(function) or "").partition("\n\n")
        problem = {"description": "What is wrong, as RFC 9457 has it.", "content": {"application/problem+json": {}}}
        returned = get_type_hints(function).get("return")
        leads = isinstance(returned, type) and issubclass(returned, Response)  # and not with a value
        elsewhere = {"response_model": None, "response_class": Response, "status_code": 303} if leads else {}
        return elsewhere | {
            "tags": [self.name],
            "summary": first.rstrip("."),
            "description": rest,
            "operation_id": f"{self.name}_{function.__name__}",
            "responses": {"4XX": problem},
        }

    def _again(self, at: Callable[..., Any], given: dict[str, Any], fields: dict[str, Any], error: MadangError) -> Any:
        """The page with the form once more, with what is wrong and what was filled in."""
        visit = _visit(given)
        wanted = inspect.signature(at).parameters
        try:
            value = at(**{name: given.get(name) for name in wanted if name in given})
        except MadangError as other:  # nor may they see that page
            return problems.answer(visit.request, error if other.code == error.code else other)
        status = problems.status_of(error)
        home = _homes[at]
        return _shown(home, home.templates[at], value, visit, given=fields, problem=error, status=status)


def _with_status(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as JSON; a value that has an `http_status` other than 200 is answered with that."""
    returned = get_type_hints(function).get("return")
    if not hasattr(returned, "http_status"):
        return function

    @functools.wraps(function)
    def told(**given: Any) -> Any:
        value = function(**given)
        if value.http_status == 200:
            return value
        return Response(value.model_dump_json(), value.http_status, media_type="application/json")

    return told


def _head_of(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function for HEAD: what would be made while it is sent is not made."""

    @functools.wraps(function)
    def told(**given: Any) -> Any:
        answer = function(**given)
        if isinstance(answer, StreamingResponse):
            head = Response(None, answer.status_code, dict(answer.headers))
            if "content-length" not in answer.headers:
                del head.headers["content-length"]  # nobody knows it; this one is that of the answer to HEAD
            return head
        return answer

    return told


def _shown(room: Room, template: str, value: Any, visit: Any, **more: Any) -> Response:
    if isinstance(value, Response):
        return value
    status = more.pop("status", 200)
    return pages.show(visit, room.package, template, value, status=status, **room.helpers, **more)


def _visit(given: Any) -> Any:
    return given["visit"]


async def _fields(request: Request) -> dict[str, Any]:
    """What a form sent: text by name, a list where a name comes more than once, files as bytes and `x_name`."""
    try:
        form = await request.form(max_files=100, max_fields=2_000, max_part_size=LARGEST)
    except HTTPException:
        raise
    except Exception:
        raise MadangError("web.value", _("This form cannot be read.")) from None
    fields: dict[str, Any] = {}
    for name in form:
        sent = form.getlist(name)
        values = [await value.read() if isinstance(value, UploadFile) else value for value in sent]
        fields[name] = values if len(values) > 1 else values[0]
        names = [value.filename or "" for value in sent if isinstance(value, UploadFile)]
        if names and f"{name}_name" not in form:
            fields[f"{name}_name"] = names if len(names) > 1 else names[0]
    return fields


def _with_fields(function: Callable[..., Any]) -> inspect.Signature:
    """The function's signature, with the fields of a form in place of `given`."""
    signature = inspect.signature(function)
    kept = [parameter for parameter in signature.parameters.values() if parameter.name != "given"]
    fields = inspect.Parameter(
        "_fields", inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[dict[str, Any], Depends(_fields)]
    )
    return signature.replace(parameters=[*kept, fields], return_annotation=Any)


def _model(model: type[BaseModel], fields: dict[str, Any]) -> BaseModel:
    """The fields of a form as the model that its JSON twin takes; what was left empty is as if it were not there."""
    raw = {}
    for name, field in model.model_fields.items():
        value = fields.get(name)
        if _is_list(field.annotation):
            value = [] if value is None else value if isinstance(value, list) else [value]
        elif isinstance(value, list):
            value = value[-1]
        if value is not None and value != "" and value != b"":
            raw[name] = value
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        place = str(first["loc"][0]) if first["loc"] else ""
        if first["type"] == "value_error" and isinstance(first.get("ctx", {}).get("error"), MadangError):
            raise first["ctx"]["error"] from None
        known = model.model_fields.get(place)
        raise problems.bad_input(first, _(known.title) if known is not None and known.title else "") from None


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) in (list, tuple) or any(
        get_origin(each) in (list, tuple) for each in get_args(annotation)
    )
