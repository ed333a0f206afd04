"""Where each key of a TOML text stands: `tomllib` gives values without lines, and an error without a line is a search.

The text has been parsed by `tomllib` before, so this scanner may assume that it is well formed. It follows table headers,
dotted and quoted keys, arrays and inline tables, and steps over strings of all four kinds and comments.
"""

import bisect
import re
import tomllib

Path = tuple[str | int, ...]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SPACE = re.compile(r"[ \t]*")
_SPACE_LINES_COMMENTS = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}(?!")'
    r"|'''.*?'{3,5}(?!')"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]\}\n#]*")


def key_lines(text: str) -> dict[Path, int]:
    r"""Line, counted from 1, of each key, table and array element of a well-formed TOML text.

    A table that is only implied (`a` in `[a.b]`) stands where it is first named.

    Examples:
        >>> lines = key_lines("[monitors]\nalpha = 0.1\nsegments = [\n  'intent',\n]\n")
        >>> lines["monitors", "alpha"], lines["monitors", "segments", 0]
        (2, 4)
    """
    return _Scanner(text).run()


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Path, int] = {}
        self.array_tables: dict[Path, int] = {}
        self.line_starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def run(self) -> dict[Path, int]:
        table: Path = ()
        self.skip(_SPACE_LINES_COMMENTS)
        while self.at < len(self.text):
            if self.text.startswith("[", self.at):
                table = self.header()
            else:
                self.pair(table)
            self.skip(_SPACE_LINES_COMMENTS)
        return self.lines

    def skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        assert match is not None, f"no {pattern.pattern!r} at {self.at}"
        self.at = match.end()
        return match.group()

    def note(self, path: Path) -> None:
        line = bisect.bisect_right(self.line_starts, self.at)
        for depth in range(1, len(path) + 1):
            self.lines.setdefault(path[:depth], line)

    def header(self) -> Path:
        is_array = self.text.startswith("[[", self.at)
        start = self.at
        self.at += 2 if is_array else 1
        path = self.resolve(self.key())
        self.at += 2 if is_array else 1
        end, self.at = self.at, start
        if is_array:
            self.array_tables[path] = self.array_tables.get(path, -1) + 1
            path = (*path, self.array_tables[path])
        self.note(path)
        self.at = end
        return path

    def resolve(self, keys: tuple[str, ...]) -> Path:
        """Table names may point into the latest element of an array of tables."""
        path: Path = ()
        for position, key in enumerate(keys):
            path = (*path, key)
            if position < len(keys) - 1 and path in self.array_tables:
                path = (*path, self.array_tables[path])
        return path

    def key(self) -> tuple[str, ...]:
        parts = []
        while True:
            self.skip(_SPACE)
            if self.text[self.at] in "\"'":
                parts.append(tomllib.loads("key = " + self.skip(_STRING))["key"])
            else:
                parts.append(self.skip(_BARE_KEY))
            self.skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return tuple(parts)
            self.at += 1

    def pair(self, table: Path) -> None:
        self.skip(_SPACE)
        start = self.at
        path = (*table, *self.key())
        end, self.at = self.at, start
        self.note(path)
        self.at = end + 1
        self.skip(_SPACE)
        self.value(path)

    def value(self, path: Path) -> None:
        self.note(path)
        match self.text[self.at : self.at + 1]:
            case '"' | "'":
                self.skip(_STRING)
            case "[":
                self.items(path, "]")
            case "{":
                self.items(path, "}")
            case _:
                self.skip(_SCALAR)

    def items(self, path: Path, closing: str) -> None:
        """The elements of an array, or the pairs of an inline table."""
        self.at += 1
        index = 0
        self.skip(_SPACE_LINES_COMMENTS)
        while not self.text.startswith(closing, self.at):
            if closing == "]":
                self.value((*path, index))
            else:
                self.pair(path)
            index += 1
            self.skip(_SPACE_LINES_COMMENTS)
            if self.text.startswith(",", self.at):
                self.at += 1
                self.skip(_SPACE_LINES_COMMENTS)
        self.at += 1
