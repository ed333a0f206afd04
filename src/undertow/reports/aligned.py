"""Rows of texts as aligned lines for a terminal."""

from collections.abc import Collection, Sequence

from undertow.reports.names import columns


def aligned(rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> list[str]:
    """Lines with two blanks before each column, as wide as its widest text.

    Args:
        rows: Equally long rows; the first is the head, if there is one.
        left: Places of the columns that are set flush left; the others are flush right.

    Examples:
        >>> aligned([("tier", "n"), ("cheap", "12")])
        ['  tier    n', '  cheap  12']
    """
    if not rows:
        return []
    widths = [max(columns(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "".join(
            "  " + (cell + room if place in left else room + cell)
            for place, (cell, room) in enumerate(
                (cell, " " * (width - columns(cell))) for cell, width in zip(row, widths, strict=True)
            )
        ).rstrip()
        for row in rows
    ]
