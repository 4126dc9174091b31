"""What a scan found, to look at: hairpins drawn, figures for papers, and one page of all."""
