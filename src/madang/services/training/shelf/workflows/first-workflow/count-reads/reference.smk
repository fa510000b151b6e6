SAMPLES = sorted(glob_wildcards("reads/{sample}.fastq").sample)

rule all:
    input: "counts.csv"

rule count:
    input: "reads/{sample}.fastq"
    output: "counts/{sample}.txt"
    shell: "echo $(( $(wc -l < {input}) / 4 )) > {output}"

rule table:
    input: expand("counts/{sample}.txt", sample=SAMPLES)
    output: "counts.csv"
    run:
        with open(output[0], "w") as table:
            print("sample,reads", file=table)
            for sample, path in zip(SAMPLES, input):
                print(sample, open(path).read().strip(), sep=",", file=table)
