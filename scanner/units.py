"""Energies as the prefilter counts them: whole units of 0.05 kcal/mol."""

__all__ = ["FORBIDDEN", "UNITS_PER_KCAL", "to_units"]

UNITS_PER_KCAL = 20
FORBIDDEN = 16000
"""Energy (units) of what cannot form: above any real energy, far enough from the int16 limit to add loops."""


def to_units(kcal: float) -> int:
    """Energy in units of 0.05 kcal/mol."""
    return round(kcal * UNITS_PER_KCAL)
