"""What a scan leaves: where it lies, how it is read, queried, written in other formats, compared with known loci."""
