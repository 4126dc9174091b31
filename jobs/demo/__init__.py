"""A scan of the bundled slice of a real chromosome."""
