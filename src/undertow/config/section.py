"""What all sections of the settings share: frozen, closed, finite, and typed as strictly as TOML itself.

A field's description says what it does and why its default is what it is; `undertow init`, the reference page and the
JSON Schema are all made from it.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints


class Section(BaseModel):
    """Base of every section: unknown keys are refused, values cannot change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, validate_default=True)


Name = Annotated[
    str, StringConstraints(pattern=r"^[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?$", max_length=128)
]
"""Name of a tier, policy or outcome. Foreign logs name their tiers as they like, so nearly anything that prints is allowed."""

VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=128)]
"""Name of an environment variable. The secret itself never stands in the file, so a pasted key must not pass as a name."""

Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s@/?#]+(/[^\s?#]*)?$", max_length=2048)]
"""Address of an upstream: no user, password or query in it, since those are secrets in a place that is printed."""

FilePath = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=4096)]
"""Path of a file; a relative one starts at the folder of the settings file."""

HookName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$", max_length=256)]
"""A Python function of the user's, `package.module:function`."""

SegmentLabel = Annotated[str, StringConstraints(pattern=r"^[^=\s][^=]*=.+$", max_length=256)]
"""One `key=value` label."""

Share = Annotated[float, Field(ge=0, le=1)]
"""A fraction in [0, 1], never a per cent."""

Days = Annotated[float, Field(ge=0, le=3660)]
"""A number of days."""

Usd = Annotated[float, Field(ge=0, le=1e12)]
"""An amount of money, never negative."""
