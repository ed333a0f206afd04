"""Charts of pages: drawn on the server in two widths, and given alone as SVG or CSV."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from starlette.responses import Response

WIDE_PX, SLIM_PX = 1080, 340


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart in both widths."""

    wide: Markup
    slim: Markup


def both(draw: Callable[[float, str], str | None], ident: str) -> Chart | None:
    """A chart in both widths, or None: there is nothing to draw.

    Args:
        draw: From width in pixels and a prefix for ids to the SVG. Every text in it is escaped by the canvas.
        ident: Name of the chart on its page.
    """
    wide, slim = draw(WIDE_PX, f"{ident}-wide"), draw(SLIM_PX, f"{ident}-slim")
    return None if wide is None or slim is None else Chart(Markup(wide), Markup(slim))  # noqa: S704 (escaped where drawn)


def csv_response(name: str, heading: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """Rows as a CSV file to be saved.

    Cells that a spreadsheet would take for a formula get an apostrophe: names in a log are not ours.

    Args:
        name: Of the file, without `.csv`.
        heading: Of the columns.
        rows: Values; None is empty.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(heading)
    writer.writerows([["" if value is None else _inert(value) for value in row] for row in rows])
    headers = {"content-disposition": f'attachment; filename="{name}.csv"'}
    return Response(out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def svg_response(svg: str | None, css: str) -> Response:
    """A chart alone, with the style sheet that it needs inside.

    Args:
        svg: As it was drawn; None: there is nothing to draw.
        css: Style sheet.
    """
    if svg is None:
        return Response("there is nothing to draw", 404, media_type="text/plain")
    head, _, rest = svg.partition(">")
    headers = {"content-disposition": 'attachment; filename="chart.svg"'}
    return Response(f"{head}><style>{css}</style>{rest}", media_type="image/svg+xml", headers=headers)


def _inert(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
