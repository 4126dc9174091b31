"""Examples for the genome model, and a model of one's own genome."""
