"""What small-RNA reads say of loci: counting, criteria of annotation, verdicts."""
