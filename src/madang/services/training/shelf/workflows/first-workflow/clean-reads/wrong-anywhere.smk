SAMPLES = sorted(glob_wildcards("reads/{sample}.fastq").sample)

rule all:
    input: "report.tsv"

rule lines:
    input: "reads/{sample}.fastq"
    output: temp("work/{sample}.tsv")
    shell: "paste - - - - < {input} > {output}"

rule clean:
    input: "work/{sample}.tsv"
    output: "clean/{sample}.fastq"
    shell: r"""awk -F'\t' '!/N/ {{print $1; print $2; print $3; print $4}}' {input} > {output}"""

rule report:
    input:
        reads=expand("reads/{sample}.fastq", sample=SAMPLES),
        clean=expand("clean/{sample}.fastq", sample=SAMPLES),
    output: "report.tsv"
    run:
        with open(output[0], "w") as report:
            print("sample", "before", "after", "share", sep="\t", file=report)
            for sample, *paths in zip(SAMPLES, input.reads, input.clean):
                before, after = (sum(1 for _line in open(path)) // 4 for path in paths)
                print(sample, before, after, f"{after / before if before else 0:.3f}", sep="\t", file=report)
