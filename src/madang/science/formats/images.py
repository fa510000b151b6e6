"""Images: TIFF and OME-TIFF (tifffile), DICOM (pydicom)."""

import base64
import io
from pathlib import Path
from typing import Any

from madang.base.translate import _
from madang.science.formats.look import Finding, Told, wrong

LARGEST = 256 << 20  # bytes of a picture of which a small one is made
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
        if pages and not found and (picture := _small(tiff.pages[0])):
            facts["picture"] = picture
    if not pages:
        found.append(wrong("tiff.empty", _("There is no picture in the file.")))
    return Told("OME-TIFF" if facts["ome"] else "TIFF", True, facts, tuple(found))


def _small(page: Any) -> str:
    """The first plane of a picture, at most 256 pixels wide and high, as a PNG in base64; nothing of very large ones.

    Grays are stretched between the darkest and the brightest; of colors the first three are taken.
    """
    import numpy as np
    from PIL import Image

    if page.nbytes > LARGEST:
        return ""
    try:
        plane = np.asarray(page.asarray())
    except Exception:  # a compression that is not known here: the file may be whole all the same
        return ""
    color = plane.ndim == 3 and plane.shape[-1] in (3, 4)
    while plane.ndim > (3 if color else 2):
        plane = plane[0]
    if plane.ndim < 2 or plane.dtype.kind not in "uif":
        return ""
    step = max(1, -(-max(plane.shape[:2]) // 256))
    plane = np.nan_to_num(plane[::step, ::step].astype(float))
    plane = plane[..., :3] if color else plane
    low, high = float(plane.min()), float(plane.max())
    shown = ((plane - low) * (255 / (high - low)) if high > low else plane * 0).astype("uint8")
    out = io.BytesIO()
    Image.fromarray(shown).save(out, "PNG", optimize=True)
    return base64.b64encode(out.getvalue()).decode() if out.tell() <= 200_000 else ""


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
