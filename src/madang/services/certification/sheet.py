"""The certificate as a page to hang on a wall: one sheet of A4 in both languages, its QR code is the proof."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from madang.services.certification.credential import Certificate
from madang.services.certification.evaluate import Outcome
from madang.services.certification.scheme import Scheme


def sheet(
    certificate: Certificate, text: str, scheme: Scheme, outcomes: Sequence[Outcome], about: Mapping[str, Any]
) -> str:
    """The page, all in one file; `text` is what the QR code holds, `about` what CDM_SOURCE says of the dataset."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    pages = Environment(
        loader=PackageLoader("madang.services.certification"), autoescape=True, undefined=StrictUndefined
    )
    return pages.get_template("sheet.html").render(
        certificate=certificate,
        scheme=scheme,
        outcomes=outcomes,
        source=str(about.get("cdm_source_name") or ""),
        holder=str(about.get("cdm_holder") or ""),
        qr=_qr(text),
    )


def _qr(text: str) -> str:
    """The QR code of `text` as SVG, with the correction of errors that its size leaves room for (ISO/IEC 18004)."""
    import segno

    out = io.BytesIO()
    segno.make(text, error="m", boost_error=False, micro=False).save(
        out, kind="svg", xmldecl=False, svgclass=None, lineclass=None, omitsize=True, border=4, title="QR"
    )
    return out.getvalue().decode()
