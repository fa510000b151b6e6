"""A record in the forms that other catalogs, registrars and search engines read; one module for each form.

Pure functions from an `Entry` to a document. `FORMS` names them as the command and the addresses do.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.services.catalog.forms import croissant, datacite, dcat_ap, healthdcat_ap, rdf, ro_crate, schema_org
from madang.services.catalog.forms.entry import Entry, EntryFile, EntryTable
from madang.services.catalog.forms.rules import Finding, validate, violations

__all__ = ["FORMS", "Entry", "EntryFile", "EntryTable", "Finding", "Form", "find_form", "validate", "violations"]

JSON_LD = "application/ld+json"


@dataclass(frozen=True)
class Form:
    """A form: its name, the version that is written, and a writer with media type and name ending per syntax.

    The first syntax is the one that is meant where none is asked for.
    """

    name: str
    known: str
    syntaxes: dict[str, tuple[str, str, Callable[[Entry], bytes]]]

    def write(self, entry: Entry, syntax: str = "") -> tuple[bytes, str, str]:
        """The document, its media type and the ending of its name. Errors: `catalog.syntax`."""
        wanted = syntax or next(iter(self.syntaxes))
        if wanted not in self.syntaxes:
            raise MadangError(
                "catalog.syntax",
                _("{form} is not written as {syntax}.").format(form=self.name, syntax=syntax),
                _("It can be: {names}.").format(names=", ".join(self.syntaxes)),
            )
        media, ending, writer = self.syntaxes[wanted]
        return writer(entry), media, ending


def _json(made: Callable[[Entry], object]) -> Callable[[Entry], bytes]:
    return lambda entry: json.dumps(made(entry), ensure_ascii=False, indent=1).encode() + b"\n"


def _rdf(made: Callable[[Entry], dict[str, object]]) -> dict[str, tuple[str, str, Callable[[Entry], bytes]]]:
    return {
        "json-ld": (JSON_LD, "jsonld", _json(made)),
        "turtle": ("text/turtle", "ttl", lambda entry: rdf.turtle(made(entry)).encode()),
    }


FORMS = {
    form.name: form
    for form in (
        Form("dcat-ap", dcat_ap.KNOWN, _rdf(dcat_ap.document)),
        Form("healthdcat-ap", healthdcat_ap.KNOWN, _rdf(healthdcat_ap.document)),
        Form(
            "datacite",
            datacite.KNOWN,
            {
                "xml": ("application/xml", "xml", datacite.document),
                "json": ("application/json", "json", _json(datacite.attributes)),
            },
        ),
        Form("schema.org", schema_org.KNOWN, {"json-ld": (JSON_LD, "jsonld", _json(schema_org.document))}),
        Form("croissant", croissant.KNOWN, {"json-ld": (JSON_LD, "json", _json(croissant.document))}),
        Form("ro-crate", ro_crate.KNOWN, {"json-ld": (JSON_LD, "json", _json(ro_crate.document))}),
    )
}


def find_form(name: str) -> Form:
    """The form of a name. Errors: `catalog.form`."""
    if name not in FORMS:
        raise MadangError(
            "catalog.form",
            _("There is no form {name!r}.").format(name=name),
            _("It can be: {names}.").format(names=", ".join(FORMS)),
        )
    return FORMS[name]
