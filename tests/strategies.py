"""Random hairpins for property tests."""

from hypothesis import strategies as st


@st.composite
def structures(draw, max_length=60):
    """Balanced dot-bracket of any shape: random symbols whose brackets without partner become dots."""
    symbols = draw(st.lists(st.sampled_from("().."), max_size=max_length))
    opened = []
    for i, symbol in enumerate(symbols):
        if symbol == "(":
            opened.append(i)
        elif symbol == ")" and opened:
            opened.pop()
        elif symbol == ")":
            symbols[i] = "."
    for i in opened:
        symbols[i] = "."
    return "".join(symbols)


@st.composite
def hairpins(draw):
    structure = draw(structures())
    letters = st.sampled_from("ACGUTacgut")
    sequence = draw(st.lists(letters, min_size=len(structure), max_size=len(structure)))
    return "".join(sequence), structure
