"""Exit statuses of the command line: a closed list that scripts rely on (docs/reference/cli.md)."""

from typing import Final

HEALTHY: Final = 0
"""Done; for `audit`: each tier shown inside its margin. For `doctor`: nothing is missing."""

LOSS: Final = 1
"""`audit`: `quality_loss` or `pareto_trap`. `doctor`: a verdict is possible, but something weakens it."""

BAD_USAGE: Final = 2
"""Bad usage, a wrong setting or unreadable input. `doctor`: something stands in the way of any verdict."""

INCONCLUSIVE: Final = 3
"""`audit`: neither harm nor its absence could be shown."""

BUG: Final = 70
"""An error of Undertow's own (EX_SOFTWARE of sysexits.h; far from the verdicts, so that no script mistakes one)."""

INTERRUPTED: Final = 130
"""Ctrl-C: 128 + SIGINT."""

PIPE_CLOSED: Final = 141
"""Nobody reads the output any more, as in `undertow audit ... | head`: 128 + SIGPIPE, as a shell would show."""
