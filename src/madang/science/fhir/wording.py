"""What a finding says to a person: what is wrong, and how to mend it. No sentence holds a value of the resource."""

from functools import lru_cache
from typing import Any

from madang.base.translate import _, speaking


def _sentences() -> dict[str, tuple[str, str]]:
    """By kind of finding: the sentence, and the repair; {0}, {1} are what the finding names."""
    return {
        "missing": (_("{0} is required and is not there."), _("Add {0}.")),
        "two_choices": (_("{0} is there with two types at once."), _("Keep one of them.")),
        "forbidden": (_("{0} must not be there in this profile."), _("Remove {0}.")),
        "too_few": (_("{0} must be there at least {1} times."), _("Add what is missing.")),
        "too_many": (_("{0} may be there at most {1} times."), _("Remove what is too many, or check the profile.")),
        "unknown": (_("FHIR R4 has no element {0} here."), _("Remove it, or carry it in an extension.")),
        "unknown_near": (_("FHIR R4 has no element {0} here."), _("Was {1} meant? Names are case-sensitive.")),
        "comments": (_("Comments as JSON members are not part of FHIR R4."), _("Remove fhir_comments.")),
        "not_object": (_("An object belongs here."), _("Write it as a JSON object in braces.")),
        "empty_object": (_("This object is empty."), _("Leave it out, or fill it.")),
        "too_deep": (_("Elements are nested too deep."), _("Check the program that writes it for a loop.")),
        "not_list": (_("{0} must be an array."), _("Put it in brackets, also when it is one value.")),
        "is_list": (_("{0} must not be an array."), _("Write the one value without brackets.")),
        "is_null": (_("{0} is null."), _("Leave the element out if there is no value.")),
        "empty_list": (_("{0} is an empty array."), _("Leave it out if there is no value.")),
        "primitive_type": (_("The value has another JSON type than {0}."), _("Write it as FHIR writes {0} in JSON.")),
        "primitive_empty": (_("The value of type {0} is empty."), _("Leave the element out if there is no value.")),
        "primitive_format": (
            _("The value is not written as {0} is."),
            _("Write it in the form that FHIR R4 gives for {0}."),
        ),
        "primitive_range": (_("The value is outside what {0} can be."), _("Check the number or the length.")),
        "target": (_("The reference points at a type that is not allowed here."), _("Allowed are: {0}.")),
        "choice_type": (_("This type is not allowed here."), _("Use one of: {0}.")),
        "fixed": (_("The value differs from the one that the profile fixes."), _("Use the value of the profile.")),
        "pattern": (_("The value lacks what the profile demands in it."), _("Add the system and code of the profile.")),
        "length": (_("The text is longer than {0} characters."), _("Shorten it.")),
        "limit_low": (_("The value is below {0}."), _("Check the value and its unit.")),
        "limit_high": (_("The value is above {0}."), _("Check the value and its unit.")),
        "binding": (_("The code is not in the value set {0}."), _("Use a code of this value set, with its system.")),
        "binding_none": (_("There is no code, and one of the value set {0} is required."), _("Add a coding.")),
        "binding_system": (_("A code without its system cannot be told to be in {0}."), _("Add the system.")),
        "code_system": (_("The code system {0} has no such code."), _("Check the code and the system.")),
        "system_relative": (_("The system of a code must be an absolute URI."), _("Write the whole URI.")),
        "identifier_relative": (_("The system of an identifier must be an absolute URI."), _("Write the whole URI.")),
        "identifier_no_uri": (
            _("The system says that the value is a URI, and it is none."),
            _("Write an absolute URI, as urn:oid:... or urn:uuid:..., or give the system of the number."),
        ),
        "system_is_set": (_("The system of a code names a value set."), _("Write the URI of the code system.")),
        "invariant": (_("The rule {0} does not hold."), _("{1}")),
        "local_reference": (
            _("A reference names a contained resource that is not there."),
            _("Add it, or mend the id."),
        ),
        "contained_id": (_("A contained resource has no id."), _("Give it an id, and refer to it by #id.")),
        "contained_twice": (_("Two contained resources have the same id."), _("Give each its own id.")),
        "extension_unknown": (_("FHIR R4 has no such extension."), _("Check the URL of the extension.")),
        "extension_type": (_("The value has another type than the extension allows."), _("Allowed are: {0}.")),
        "extension_context": (_("This extension is not allowed on this element."), _("It may stand on: {0}.")),
        "extension_url": (_("The URL of an extension must be absolute."), _("Write the whole URL of its definition.")),
        "extension_inner": (_("The extension has no part of this name."), _("Its parts are: {0}.")),
        "slice_missing": (_("The slice {0} must be there at least {1} times."), _("Add an item with its codes.")),
        "slice_many": (_("The slice {0} may be there at most {1} times."), _("Remove the items that are too many.")),
        "slice_closed": (_("The item belongs to none of the slices, and others are not allowed."), _("Slices: {0}.")),
        "slice_order": (_("The slice {0} stands in another place than the profile says."), _("Mend the order.")),
        "no_type": (_("The object has no resourceType."), _("Add resourceType.")),
        "unknown_resource": (_("FHIR R4 has no resource of this type."), _("Check resourceType.")),
        "unknown_type": (_("The type {0} is not at hand."), _("Give its definition with --package.")),
        "profile_unknown": (
            _("The profile {0} is not at hand, so nothing was held by it."),
            _("Give it with --package."),
        ),
        "profile_type": (_("The profile {0} is one of {1}."), _("Claim a profile of this resource type.")),
        "profile_snapshot": (
            _("The profile {0} has no snapshot, and its base is not at hand."),
            _("Give its base as well."),
        ),
        "profile_target": (_("The resource that this refers to does not conform to {0}."), _("Mend that resource.")),
        "narrative_form": (_("The narrative is not well-formed XHTML in a div."), _("Close every element.")),
        "narrative_namespace": (
            _("The div of the narrative is not in the namespace of XHTML."),
            _('Add xmlns="http://www.w3.org/1999/xhtml".'),
        ),
        "narrative_element": (_("The narrative has an element that FHIR does not allow."), _("Use plain formatting.")),
        "narrative_attribute": (_("The narrative has an attribute that FHIR does not allow."), _("Remove it.")),
        "narrative_active": (_("The narrative has active content."), _("Remove scripts, forms and handlers.")),
        "narrative_link": (_("A link in the narrative leads nowhere that a reader can go."), _("Link by http or #id.")),
        "narrative_source": (
            _("A part of the narrative does not tell its source, and the profile wants that."),
            _("Give it the class boilerplate, generated or original."),
        ),
        "narrative_language": (
            _("The narrative has sections by language, and the profile does not allow that."),
            _("Keep one language."),
        ),
        "narrative_empty": (_("The narrative has no text."), _("Add text, or leave the narrative out.")),
        "bundle_twice": (_("Two entries of the bundle are the same resource."), _("Keep one, or give versions.")),
        "bundle_full_url": (_("fullUrl and the id of the resource differ."), _("Make both name the same resource.")),
        "bundle_relative": (_("fullUrl must be absolute."), _("Write the whole URL, or urn:uuid.")),
        "bundle_no_url": (_("An entry of this bundle has no fullUrl."), _("Add fullUrl.")),
        "bundle_no_id": (_("fullUrl looks like one of a server, and the resource has no id."), _("Add the id.")),
        "bundle_composition": (_("A document does not begin with a Composition."), _("Put it first.")),
        "bundle_header": (_("A message does not begin with a MessageHeader."), _("Put it first.")),
        "bundle_link": (_("A kind of link is there twice."), _("Keep one.")),
        "bundle_search_id": (_("A resource in a search result has no id."), _("Add its id.")),
        "bundle_search_type": (_("A hit is of another type than the search asked for."), _("Return only hits.")),
        "bundle_many": (_("More than one entry fits the reference."), _("Refer by fullUrl.")),
        "bundle_lost": (_("The bundle has no entry for this reference."), _("Add the entry, or mend the reference.")),
        "bundle_unreached": (_("The entry cannot be reached from the Composition."), _("Refer to it, or remove it.")),
        "extension_rule": (
            _("The extension is not allowed here by a rule of its own."),
            _("Read the rule in its definition."),
        ),
        "structure_path": (
            _("The base of the profile has no element of this path."),
            _("Name an element of the base; a choice by its name with [x], or by one of its types."),
        ),
        "structure_fixed": (
            _("The profile fixes another value than its base does."),
            _("Keep the value of the base."),
        ),
        "structure_discriminator": (
            _("A discriminator names a child that the sliced element does not have."),
            _("Name a child of the element, or $this."),
        ),
        "example_url": (_("An example URL stands in real data."), _("Use a URL of your own.")),
        "markup": (_("The text looks like HTML."), _("Remove markup from texts.")),
        "too_long": (_("The resource is too long to be read."), _("Split it.")),
        "empty": (_("There is nothing here."), _("Remove the empty line or file.")),
        "not_utf8": (_("The text is not UTF-8."), _("Write it in UTF-8.")),
        "nested": (_("The text is nested too deep to be read."), _("Check the program that writes it.")),
        "not_json": (_("The text is no JSON: it is cut off or malformed."), _("Write it again, whole.")),
        "not_fhir": (_("The file is neither JSON nor XML of FHIR."), _("Leave it out, or convert it.")),
        "not_gzip": (_("The file is no gzip, or it is cut off."), _("Pack it again.")),
        "doubled": (_("An object names a member twice."), _("Keep one; readers differ on which one counts.")),
        "xml_form": (_("The text is no XML: it is cut off or malformed."), _("Write it again, whole.")),
        "xml_deep": (_("The XML is nested too deep."), _("Check the program that writes it.")),
        "xml_doctype": (_("A document type or an entity is not allowed."), _("Remove it.")),
        "xml_namespace": (_("The XML is not in the namespace of FHIR."), _('Add xmlns="http://hl7.org/fhir".')),
        "xml_text": (_("There is text between elements."), _("Put values in the attribute value.")),
        "xml_attribute": (_("FHIR has no such attribute here."), _("Remove it.")),
        "xml_order": (
            _("The element stands in another order than FHIR says."),
            _("Order them as the definition does."),
        ),
        "xml_resource": (_("Exactly one resource belongs here."), _("Put one resource in it.")),
        "xml_empty": (_("The element has neither a value nor extensions."), _("Leave it out, or fill it.")),
        "value_instead": (
            _("The element has neither a value nor the extension that may stand in its place."),
            _("Add the value, or one of: {0}."),
        ),
        "reference_lost": (
            _("The reference leads to no resource that is here."),
            _("Add the resource, or mend the reference."),
        ),
        "value_nowhere": (
            _("The element has neither a value nor extensions."),
            _("Leave it out, or fill it; an id alone, or null without an extension beside it, says nothing."),
        ),
        "reference_form": (
            _("The reference is not written as FHIR writes one."),
            _("Write Type/id, with the type spelled as FHIR does, an absolute URL, or #id of a contained resource."),
        ),
        "value_absent": (_("The element must have a value, and not only an extension."), _("Add the value.")),
    }


def _repairs() -> dict[str, str]:
    """How to mend what breaks an invariant, for those of KR Core and its data types."""
    return {
        "ait-1": _("Add clinicalStatus, unless the record was entered in error."),
        "ait-2": _("Remove clinicalStatus from a record that was entered in error."),
        "con-3": _("Add clinicalStatus to the problem list item."),
        "con-4": _("Set clinicalStatus to resolved, remission or inactive where there is an abatement."),
        "con-5": _("Remove clinicalStatus from a record that was entered in error."),
        "obs-3": _("Give low, high or text to the reference range."),
        "obs-6": _("Keep either the value or dataAbsentReason."),
        "obs-7": _("Do not repeat the code of the observation in a component while it has a value."),
        "krcore-obs-01": _("Add a value or dataAbsentReason."),
        "krcore-obs-02": _("Add a value or dataAbsentReason to the components."),
        "per-1": _("Set start before end."),
        "cpt-2": _("Add the system of the contact point."),
        "qty-3": _("Add the system of the unit."),
        "rng-2": _("Set low below high, in the same unit."),
        "rat-1": _("Give both numerator and denominator."),
        "att-1": _("Add contentType to the data."),
        "org-1": _("Give the organization an identifier or a name."),
        "org-2": _("An address of an organization is never a home."),
        "org-3": _("A telephone of an organization is never at home."),
        "pat-1": _("Give the contact a name, a telephone, an address or an organization."),
        "ext-1": _("Give the extension either a value or extensions."),
        "dom-2": _("Do not put contained resources into contained ones."),
        "dom-3": _("Refer to every contained resource, or remove it."),
        "dom-4": _("Remove versionId and lastUpdated from contained resources."),
        "dom-5": _("Remove security labels from contained resources."),
    }


@lru_cache(maxsize=20_000)
def sentence(kind: str, about: tuple[Any, ...], language: str) -> str:
    """What a finding says in a language: what is wrong and the repair."""
    with speaking(language):
        what, repair = _sentences().get(kind, (_("This does not conform."), ""))
        if kind == "invariant":
            repair = _repairs().get(str(about[0]), _("Read the rule in the definition of the profile."))
            return f"{what.format(*about)} {repair}"
        return f"{what.format(*about)} {repair.format(*about)}".strip()


def kinds() -> list[str]:
    """Every kind of finding that has a sentence."""
    return list(_sentences())
