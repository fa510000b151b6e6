"""Images: TIFF and OME-TIFF (tifffile), DICOM (pydicom)."""

from pathlib import Path

from madang.base.translate import _
from madang.science.formats.look import Finding, Told, wrong

_PEOPLE = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientAddress", "OtherPatientIDs", "OtherPatientNames"),
    *("PatientTelephoneNumbers", "ReferringPhysicianName", "PerformingPhysicianName", "OperatorsName"),
)


def look_tiff(path: Path) -> Told:
    """Pages, shape, and whether every strip and tile lies within the file."""
    import tifffile

    size = path.stat().st_size
    found: list[Finding] = []
    with tifffile.TiffFile(path) as tiff:
        pages = len(tiff.pages)
        facts = {
            "pages": pages,
            "shape": list(tiff.pages[0].shape) if pages else [],
            "type": str(tiff.pages[0].dtype) if pages else "",
            "ome": bool(tiff.is_ome),
        }
        for page in tiff.pages:
            ends = [at + length for at, length in zip(page.dataoffsets, page.databytecounts, strict=False)]
            if max(ends, default=0) > size:
                found.append(wrong("file.cut", _("The picture lies beyond the end of the file: it was cut off.")))
                break
    if not pages:
        found.append(wrong("tiff.empty", _("There is no picture in the file.")))
    return Told("OME-TIFF" if facts["ome"] else "TIFF", True, facts, tuple(found))


def look_dicom(path: Path) -> Told:
    """Modality and size, and the tags that name people."""
    import pydicom

    picture = pydicom.dcmread(path, stop_before_pixels=False)
    named = [tag for tag in _PEOPLE if str(picture.get(tag, "") or "").strip()]
    found: list[Finding] = []
    if named:
        message = _("The tags {names} tell who a person is.").format(names=", ".join(named))
        found.append(wrong("dicom.person", message))
    wanted = int(picture.get("Rows", 0) or 0) * int(picture.get("Columns", 0) or 0)
    if wanted and "PixelData" not in picture:
        found.append(wrong("file.cut", _("The picture itself is missing: the file was cut off.")))
    facts = {
        "modality": str(picture.get("Modality", "")),
        "rows": int(picture.get("Rows", 0) or 0),
        "columns": int(picture.get("Columns", 0) or 0),
        "deidentified": str(picture.get("PatientIdentityRemoved", "")),
    }
    return Told("DICOM", True, facts, tuple(found))
