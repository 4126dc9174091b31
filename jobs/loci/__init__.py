"""The second pass: from every scored hairpin to loci, one a place, ranked by what the whole genome says of them."""
