"""What every page that is one HTML file shares: the style sheet, the script and its hash, templates that escape whatever is put in them."""

import base64
import hashlib
from collections.abc import Callable
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

import undertow
from undertow.reports import figures
from undertow.reports.names import clip, prose

Filters = tuple[tuple[str, Callable[..., Any]], ...]
"""Names and functions; a tuple, so that a page's templates are compiled once."""


def render_page(template: str, filters: Filters = (), **values: Any) -> str:
    """A complete HTML document in one string, to be written as UTF-8.

    Args:
        template: Its name among the templates.
        filters: What it may use beside the filters of all pages.
        values: What it is given; text in them is escaped, `Markup` is not.
    """
    script = source("report.js")
    page = (
        _environment(filters)
        .get_template(template)
        .render(
            css=Markup(source("report.css")),  # noqa: S704  our own file
            script=Markup(script),  # noqa: S704  our own file, named by its hash in the policy
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            version=undertow.__version__,
            **values,
        )
    )
    # A lone surrogate cannot be written as UTF-8; `plain` has replaced those in names, this catches any other.
    return page.encode("utf-8", "replace").decode("utf-8")


@cache
def source(name: str) -> str:
    """A file among the templates, as it is."""
    loader = _environment().loader
    assert loader is not None
    return loader.get_source(_environment(), name)[0]


@cache
def _environment(filters: Filters = ()) -> Environment:
    environment = Environment(
        loader=PackageLoader("undertow.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {**shared_filters(), **dict(filters)}
    return environment


def shared_filters() -> dict[str, Callable[..., Any]]:
    """What templates of all pages may pass values through."""
    return {
        "usd": figures.usd,
        "usd_each": figures.usd_each,
        "percent": kept(figures.percent),
        "percent_interval": kept(figures.percent_interval),
        "count": figures.count,
        "prose": prose,
        "name": name,
    }


def kept(show: Callable[..., str]) -> Callable[..., str]:
    """A format whose unit stays on the line of its number.

    Examples:
        >>> kept(figures.percent)(0.25).split("\N{NO-BREAK SPACE}")
        ['25.0', '%']
    """

    def shown(*values: Any, **options: Any) -> str:
        number, _, unit = show(*values, **options).rpartition(" ")
        return f"{number}\N{NO-BREAK SPACE}{unit}" if number else unit

    return shown


def name(text: str, columns: int = 40) -> Markup:
    """A name from a log: isolated from the direction of what surrounds it, the whole of it (within reason) on hover.

    Examples:
        >>> name("<b>billing</b>")
        Markup('<bdi class="name">&lt;b&gt;billing&lt;/b&gt;</bdi>')
    """
    shown, whole = clip(text, columns), clip(text, 300)
    title = Markup(' title="{}"').format(whole) if shown != whole else ""
    return Markup('<bdi class="name"{}>{}</bdi>').format(title, shown)
