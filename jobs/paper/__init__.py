"""The reproduction: every table and figure of the paper, from its data sets to the report."""
