"""Looking at a drawing without eyes: where its labels lie, whether they collide or leave the paper."""

from dataclasses import dataclass
from xml.etree import ElementTree as ET

from undertow.reports.names import columns

SVG = "{http://www.w3.org/2000/svg}"
WIDE, SLIM = 880, 340


@dataclass(frozen=True)
class Label:
    text: str
    cls: str
    left: float
    right: float
    baseline: float

    def meets(self, other: "Label") -> bool:
        apart = self.right <= other.left + 1 or other.right <= self.left + 1
        return not apart and abs(self.baseline - other.baseline) < 9


def parse(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314  drawn by the code under test


def labels(svg: str) -> list[Label]:
    found = []
    for text in parse(svg).iter(f"{SVG}text"):
        # Latin letters of 12 px system type are a little under 6 px wide on average.
        width = columns(text.text or "") * 5.6
        x, y = float(text.get("x", "0")), float(text.get("y", "0"))
        left = {"start": x, "middle": x - width / 2, "end": x - width}[text.get("text-anchor", "start")]
        found.append(Label(text.text or "", text.get("class", ""), left, left + width, y))
    return found


def texts(svg: str) -> list[str]:
    return [label.text for label in labels(svg)]


def of_class(svg: str, cls: str) -> list[ET.Element]:
    return [e for e in parse(svg).iter() if cls in (e.get("class") or "").split()]


def assert_legible(svg: str) -> None:
    """Every label inside the drawing and clear of every other; the drawing named and described."""
    root = parse(svg)
    _, _, width, height = map(float, root.get("viewBox", "").split())
    assert root.get("role") == "img"
    assert (root.findtext(f"{SVG}title") or "").strip()
    assert (root.findtext(f"{SVG}desc") or "").strip()
    named = root.get("aria-labelledby", "").split()
    assert len(named) == 2
    assert all(any(e.get("id") == one for e in root.iter()) for one in named)
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    assert "nan" not in svg.lower().replace("tenant", "").replace("finance", "")
    drawn = labels(svg)
    for label in drawn:
        assert label.left >= -4, f"{label} leaves on the left"
        assert label.right <= width + 4, f"{label} leaves {width}"
        assert 8 <= label.baseline <= height - 1, f"{label} leaves height {height}"
    for i, one in enumerate(drawn):
        for other in drawn[i + 1 :]:
            assert not one.meets(other), f"{one.text!r} over {other.text!r}"
