"""What is known of loci: names from known miRNAs, overlaps with features, conservation, completeness."""
