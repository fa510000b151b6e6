"""Narrative: XHTML that may be shown to people. Well-formed, in its namespace, with text, and nothing that acts."""

import re
from html.entities import name2codepoint
from xml.parsers import expat

NAMESPACE = 'xmlns="http://www.w3.org/1999/xhtml"'
_TAGS = re.compile(r"<([A-Za-z][\w:.-]*)((?:\s+[\w:.-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'))*)\s*/?>")
_ATTRIBUTES = re.compile(r"([\w:.-]+)\s*=\s*(\"[^\"]*\"|'[^']*')")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
ELEMENTS = frozenset(
    "a abbr acronym area b bdo big blockquote br caption center cite code col colgroup dd del dfn div dl dt em font"
    " h1 h2 h3 h4 h5 h6 hr i img ins kbd li map ol p pre q s samp small span strike strong sub sup table tbody td tfoot"
    " th thead tr tt u ul var".split()
)
ATTRIBUTES = frozenset(
    "title style class id lang xml:lang dir accesskey tabindex span width align valign char charoff abbr axis headers"
    " scope rowspan colspan href hreflang name rel rev charset type coords shape src alt height usemap ismap longdesc"
    " cite datetime border frame rules cellpadding cellspacing summary xmlns nowrap start value compact color size face"
    " noshade bgcolor idref clear".split()
)
SCHEMES = ("http", "https", "mailto", "tel", "sms", "ftp", "sftp", "data")  # where a reader of a narrative can go
_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*):")
SOURCES = {"boilerplate", "generated", "original"}
_LANGUAGE = re.compile(r"<div\s[^>]*?(?:xml:)?lang\s*=")
_FRAGMENT = re.compile(r"<a\s[^>]*?href\s*=\s*[\"']#([^\"']*)[\"']")
_NAMES = re.compile(r"\s(?:id|name)\s*=\s*[\"']([^\"']*)[\"']")
_NAMED = re.compile(r"&([A-Za-z]\w*);")


def problem(value: str) -> str | None:
    """None, or what is wrong: `form`, `namespace`, `element`, `attribute`, `active`, `link` or `empty`."""
    if not value.lstrip().startswith("<div"):
        return "form"
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(_NAMED.sub(_plain, value), True)
    except (expat.ExpatError, ValueError):
        return "form"
    bare = _COMMENT.sub("", value) if "<!--" in value else value
    tags = _TAGS.findall(bare)
    if not tags or not ("xmlns" in tags[0][1] and "http://www.w3.org/1999/xhtml" in tags[0][1]):
        return "namespace"
    names = {name for name, _attributes in tags}
    if not names <= ELEMENTS:
        return "active" if names & {"script", "object", "iframe", "form", "input", "embed", "style"} else "element"
    for _name, attributes in tags:
        if attributes:
            for key, text in _ATTRIBUTES.findall(attributes):
                if key not in ATTRIBUTES and not key.startswith(("xmlns:", "data-")):
                    return "active" if key.startswith("on") else "attribute"
                if key in ("href", "src") and text[1:].strip().lower().startswith(("javascript:", "vbscript:")):
                    return "active"
                if key == "href" and (scheme := _SCHEME.match(text[1:-1])) and scheme[1].lower() not in SCHEMES:
                    return "link"
    if "img" in names or re.sub(r"<[^>]*>|&nbsp;|\s", "", bare):
        return None
    return "empty"


def fragments(value: str) -> set[str]:
    """What links of a narrative name in their own document, and that no part of the narrative is called."""
    return set(_FRAGMENT.findall(value)) - set(_NAMES.findall(value)) - {""}


def uncontrolled(value: str, wanted: tuple[str, ...]) -> str | None:
    """None, or what a narrative lacks that a profile wants: parts that tell their `source`, no `language` sections."""
    if "no language" in wanted and _LANGUAGE.search(value):
        return "language"
    if "source" not in wanted:
        return None
    told, open_ = [], False
    parser = expat.ParserCreate()

    def begin(name: str, attributes: dict[str, str]) -> None:
        told.append(bool(SOURCES & set(attributes.get("class", "").split())))

    def text(data: str) -> None:
        nonlocal open_
        open_ = open_ or (bool(data.strip()) and not any(told))

    parser.StartElementHandler, parser.EndElementHandler = begin, lambda name: told.pop()
    parser.CharacterDataHandler = text
    try:
        parser.Parse(_NAMED.sub(_plain, value), True)
    except (expat.ExpatError, ValueError):
        return None  # said by the check of its form
    return "source" if open_ else None


def _refuse(*_arguments: object) -> None:
    raise ValueError("a document type is not allowed")


def _plain(found: re.Match[str]) -> str:
    """A blank in place of an entity of XHTML; those of XML, and what is none, are left to the parser."""
    known = found.group(1) in name2codepoint and found.group(1) not in ("lt", "gt", "amp", "quot")
    return " " if known else found.group(0)
