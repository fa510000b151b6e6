"""Narrative: XHTML that may be shown to people. Well-formed, in its namespace, with text, and nothing that acts."""

import re
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
ENTITIES = ("nbsp", "copy", "reg", "trade", "hellip", "mdash", "ndash", "lsquo", "rsquo", "ldquo", "rdquo", "middot")
_NAMED = re.compile(r"&([A-Za-z]\w*);")


def problem(value: str) -> str | None:
    """None, or what is wrong: `form`, `namespace`, `element`, `attribute`, `active` or `empty`."""
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
    if "img" in names or re.sub(r"<[^>]*>|&nbsp;|\s", "", bare):
        return None
    return "empty"


def _refuse(*_arguments: object) -> None:
    raise ValueError("a document type is not allowed")


def _plain(found: re.Match[str]) -> str:
    return found.group(0) if found.group(1) in ("lt", "gt", "amp", "quot", "apos") else " "
