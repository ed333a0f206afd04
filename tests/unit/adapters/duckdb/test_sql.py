"""Quoting holds against names made to break out."""

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from undertow.adapters.duckdb.sql import identifier, literal, literals

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=30)


@given(TEXT, TEXT)
def test_quoted_texts_come_back_as_they_were(value: str, name: str) -> None:
    with duckdb.connect() as engine:
        result = engine.execute(f"SELECT {literal(value)} AS {identifier(name)}, [{literals([value, name])}]")
        assert result.description[0][0] == name
        assert result.fetchone() == (value, [value, name])
