// Loci that may be pre-miRNAs, of each genome of a folder:
//
//     nextflow run pipelines/nextflow --genomes 'genomes/*.fa.gz' --outdir results
//
// With -stub the files are made without a scan.
nextflow.enable.dsl = 2

include { MIRSWEEP_SCAN } from './mirsweep/scan/main'

workflow {
    if (!params.genomes) {
        error "give --genomes, a pattern of FASTA files"
    }
    genomes = Channel.fromPath(params.genomes, checkIfExists: true).map { fasta -> [[id: fasta.simpleName], fasta] }
    MIRSWEEP_SCAN(genomes)
}
