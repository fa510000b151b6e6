SAMPLES = glob_wildcards("reads/{sample}.fastq").sample

rule all:
    input: "counts.csv"

rule count:
    input: "reads/{sample}.fastq"
    output: "counts/{sample}.txt"
    shell: "grep -c '^@' {input} > {output} || true"

rule table:
    input: expand("counts/{sample}.txt", sample=SAMPLES)
    output: "counts.csv"
    shell: "echo sample,reads > {output}; for f in {input}; do echo $(basename $f .txt),$(cat $f) >> {output}; done"
