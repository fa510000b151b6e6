"""Sequencing: from reads to small variants, coverage and a report, by well-known programs. For research, not diagnosis.

    from madang.science.sequencing import find_bundle, germline
    result = germline([Path("R1.fq.gz"), Path("R2.fq.gz")], find_bundle(Path("lambda.fa.gz")), Path("out"))

It needs bwa, samtools, bcftools and fastp (Debian packages of these names), which run as processes.
"""

from madang.science.sequencing.bundle import Bundle, find_bundle
from madang.science.sequencing.germline import Result, germline
from madang.science.sequencing.reads import check_reads
from madang.science.sequencing.variants import genes_in, variants_in

__all__ = ["Bundle", "Result", "check_reads", "find_bundle", "genes_in", "germline", "variants_in"]
