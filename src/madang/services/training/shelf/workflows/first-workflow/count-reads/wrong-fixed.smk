rule all:
    input: "counts.csv", "counts/a.txt", "counts/b.txt"

rule count:
    output: "counts/a.txt", "counts/b.txt"
    shell: "echo 2 > counts/a.txt; echo 1 > counts/b.txt"

rule table:
    output: "counts.csv"
    shell: "printf 'sample,reads\\na,2\\nb,1\\n' > {output}"
