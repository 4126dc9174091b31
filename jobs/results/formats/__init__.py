"""File formats that rows are written in, one module a family."""
