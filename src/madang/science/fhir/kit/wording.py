"""What tests demand and what was got, in both languages."""

from functools import lru_cache
from typing import Any

from madang.base.translate import _, speaking
from madang.science.fhir.kit.model import Finding, Test


def _titles() -> dict[str, str]:
    return {
        "metadata": _("/metadata answers anybody with a valid CapabilityStatement"),
        "version": _("The statement says FHIR {0}"),
        "profiles": _("The statement declares every type and profile that the guide demands"),
        "interactions": _("The statement declares every interaction that the guide demands"),
        "declared": _("The statement declares every search parameter that the guide demands"),
        "instantiates": _("The statement names the guide's server statement"),
        "json": _("Resources come as {0}"),
        "xml": _("Resources come as {0}"),
        "tls": _("The endpoint is reached over TLS with a good certificate"),
        "no_token": _("A request without a token is refused"),
        "bad_token": _("A request with a made-up token is refused"),
        "smart": _("The SMART configuration names what a backend service needs"),
        "token": _("A right assertion gets a short-lived token"),
        "wrong_grant": _("Another grant type gets no token"),
        "wrong_type": _("Another assertion type gets no token"),
        "wrong_signature": _("An assertion signed with another key gets no token"),
        "wrong_expired": _("An assertion that is over gets no token"),
        "wrong_audience": _("An assertion for another audience gets no token"),
        "wrong_client": _("An unknown client gets no token"),
        "wrong_replayed": _("An assertion that was used gets no second token"),
        "unknown_type": _("A type that does not exist is refused"),
        "bad_value": _("A value that a parameter cannot have is refused"),
        "outcome": _("An error says why in an OperationOutcome"),
        "read": _("{0} can be read by id"),
        "missing": _("A {0} that is not there is answered by 404"),
        "vread": _("A version of {0} can be read"),
        "history": _("The history of a {0} can be read"),
        "valid": _("Resources conform to {0}"),
        "shown": _("Every element of {0} that must be supported is shown"),
        "references": _("References of {0} lead to resources"),
        "bulk_kick-off": _("Bulk export starts and ends with a list of files"),
        "bulk_lines": _("Files of the bulk export hold conforming resources"),
        "bulk_cancel": _("A bulk export can be cancelled"),
        "bulk_no-token": _("Files of the bulk export are not given without a token"),
        "search": _("{0} finds what matches, and only that"),
        "post": _("{0} finds the same by POST"),
        "system": _("{0} looks at the code system too"),
        "typed": _("{0} takes the type and the id"),
        "prefix": _("{0} takes ge, le, gt and lt"),
        "none": _("A search for a {0} that is not there is empty"),
        "paging": _("Pages of {0} lead to the end, with every resource once"),
        "drawn_patients": _("The drawn patients are found by their identifiers, and are who they are"),
        "drawn_records": _("Drawn records of type {0} come back as they went in"),
    }


def _sentences() -> dict[str, tuple[str, str]]:
    return {
        "": (_("As demanded."), ""),
        "no_answer": (_("There was no answer: {0}."), _("Check that the endpoint is up and its certificate good.")),
        "status": (_("Status {1} came instead of {0}."), _("Answer with {0}.")),
        "not_a": (_("The answer is no {0}."), _("Send a {0} with the right media type.")),
        "invalid": (_("The answer breaks a rule at {0} ({1})."), _("Mend it; `madang fhir validate` says how.")),
        "other_version": (_("fhirVersion is another one."), _("Serve FHIR 4.0.1.")),
        "lacks": (_("Lacking: {0}."), _("Add what is lacking.")),
        "media_type": (_("Content-Type is another one than {0}."), _("Say {0}.")),
        "no_tls": (_("The endpoint is reached without TLS."), _("Serve it over https.")),
        "loopback": (_("The endpoint is on this machine."), ""),
        "no_credentials": (
            _("No token or key was given, so this was not tried."),
            _("Give --client and --key, or --token."),
        ),
        "no_key": (_("No client key was given, so this was not tried."), _("Give --client and --key.")),
        "let_in": (_("It was answered with {0}."), _("Refuse it with 401, 403 or 404.")),
        "token_given": (_("It was answered with {0}."), _("Refuse it with 400 or 401.")),
        "long_token": (_("The token is good for more than an hour."), _("Give short-lived tokens.")),
        "foreign": (
            _("The answer leads to another host; it was not followed."),
            _("Use addresses of the endpoint itself."),
        ),
        "too_many": (_("The bound of requests was reached."), _("Look for pages without an end.")),
        "malformed": (_("The answer has a shape that no FHIR resource has."), _("Validate what the endpoint sends.")),
        "no_resource": (_("There is no {0} to look at."), _("Load test data that show it.")),
        "no_value": (_("No resource has a value for {0}."), _("Load test data that show it.")),
        "plain_code": (_("{0} is a code without a system."), ""),
        "undefined": (_("The guide does not say what {0} looks at."), ""),
        "other_resource": (
            _("Another resource came than was asked for."),
            _("Answer with the one that was asked for."),
        ),
        "differs": (_("Read and search give different content."), _("Send the same content from both.")),
        "not_valid": (_("{0} of {1} resources do not conform."), _("Mend what the details say.")),
        "nothing_supported": (_("The profile marks nothing."), ""),
        "not_shown": (
            _("Not shown by any resource: {0}."),
            _("Load test data that show it, or attest why it cannot be."),
        ),
        "lost": (_("A reference to a {0} is answered by {1}."), _("Serve what is referred to.")),
        "lost_within": (_("What is referred to is not in the folder: {0}."), _("Export what is referred to as well.")),
        "no_bulk": (_("The endpoint has no bulk export."), ""),
        "search_no_bundle": (_("A search of {0} gives no Bundle."), _("Answer a search with a searchset.")),
        "search_circle": (_("Pages of {0} go in a circle."), _("Let `next` lead on until the end.")),
        "search_foreign": (_("A page of {0} leads to another host; it was not followed."), _("Page on the same host.")),
        "other_type": (_("A hit is no {0}."), _("Return only hits.")),
        "no_match": (_("A hit does not match {0}."), _("Return only what matches.")),
        "not_found": (_("A resource that matches {0} was not found."), _("Index it for this parameter.")),
        "not_all": (_("Not everything that matches {0} was found."), _("Return all of it, over pages if need be.")),
        "system_ignored": (_("{0} ignores the code system."), _("Compare the system too.")),
        "count_ignored": (_("A page has more hits than _count."), _("Keep to _count.")),
        "total_changes": (_("The total changes from page to page."), _("Say the same total on each page.")),
        "total_lies": (_("The total is not the number of hits."), _("Count what matches, or leave total out.")),
        "page_shape": (_("A page is no Bundle as FHIR has it: {0}."), _("Mend the Bundle around the hits.")),
        "page_self": (_("A page has no link `self`."), _("Say in it which parameters were used.")),
        "page_url": (_("An entry of a page has no fullUrl."), _("Give each entry the address of its resource.")),
        "page_outcome": (
            _("A page has an OperationOutcome among its hits."),
            _("Mark it with the search mode `outcome`."),
        ),
        "empty_page": (_("A page is empty and leads to another."), _("Leave out empty pages.")),
        "drawn_none": (
            _("None of the {0} drawn records is there."),
            _("Load the records of the challenge into the system before the test."),
        ),
        "drawn_lost": (
            _("{0} of {1} drawn records do not come back, or say something else."),
            _("Look at codes, days and values on the way in and out."),
        ),
        "drawn_other": (
            _("{0} of {1} drawn patients have another sex or day of birth."),
            _("Look at these fields on the way in and out."),
        ),
        "twice": (_("A resource came on two pages."), _("Order the pages firmly.")),
    }


@lru_cache(maxsize=5000)
def _title(kind: str, subject: str, language: str) -> str:
    with speaking(language):
        return _titles()[kind].format(subject)


def title(test: Test, language: str) -> str:
    """What a test demands."""
    return _title(test.kind, test.subject, language)


@lru_cache(maxsize=5000)
def _said(kind: str, about: tuple[Any, ...], language: str) -> tuple[str, str]:
    with speaking(language):
        got, repair = _sentences()[kind]
        return got.format(*about), repair.format(*about)


def said(finding: Finding, language: str) -> tuple[str, str]:
    """What was got, and how to mend it."""
    return _said(finding.kind, finding.about, language)
