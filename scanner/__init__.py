"""Finding and folding hairpins: FASTA in, unscored candidates out."""
