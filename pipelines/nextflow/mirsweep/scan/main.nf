process MIRSWEEP_SCAN {
    tag "$meta.id"
    label 'process_high'

    conda "${moduleDir}/environment.yml"
    container "mirsweep:0.1.0"

    input:
    tuple val(meta), path(fasta)

    output:
    tuple val(meta), path("${prefix}")                , emit: output
    tuple val(meta), path("${prefix}/loci.parquet")   , emit: loci
    tuple val(meta), path("${prefix}/loci.tsv")       , emit: tsv
    tuple val(meta), path("${prefix}/loci.gff3.gz")   , emit: gff
    tuple val(meta), path("${prefix}/loci.gff3.gz.tbi"), emit: tbi
    tuple val(meta), path("${prefix}/loci.fa")        , emit: fasta
    tuple val(meta), path("${prefix}/mature.fa")      , emit: mature
    tuple val(meta), path("${prefix}/report.html")    , emit: html
    tuple val(meta), path("*_mqc.json")               , emit: multiqc
    path "versions.yml"                               , emit: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    def args2 = task.ext.args2 ?: ''
    prefix = task.ext.prefix ?: "${meta.id}"
    """
    mirsweep scan $fasta -o $prefix --name ${meta.id} --workers $task.cpus --no-report --quiet $args
    mirsweep report $prefix --multiqc ${prefix}_mqc.json --quiet $args2

    cat <<-END_VERSIONS > versions.yml
    "${task.process}":
        mirsweep: \$(mirsweep --version | sed 's/^.* //')
    END_VERSIONS
    """

    stub:
    prefix = task.ext.prefix ?: "${meta.id}"
    """
    mkdir -p $prefix
    touch $prefix/loci.parquet $prefix/loci.tsv $prefix/loci.fa $prefix/mature.fa $prefix/report.html
    echo "" | gzip > $prefix/loci.gff3.gz
    touch $prefix/loci.gff3.gz.tbi ${prefix}_mqc.json

    cat <<-END_VERSIONS > versions.yml
    "${task.process}":
        mirsweep: \$(mirsweep --version | sed 's/^.* //')
    END_VERSIONS
    """
}
