"""The commented `undertow.toml` that `undertow init` writes, made from the settings' models so that it is never out of date.

Every setting stands in it behind a single `#` with its default (or an example where it is unset by default), under a
comment that says what it does and why the default is what it is. As written the file sets nothing: all defaults hold.
"""

import textwrap
from collections.abc import Iterator, Mapping

from undertow.config.shape import ANY_NAME, Setting, all_settings, as_toml

_HEAD = """\
#:schema ./undertow.schema.json
# Settings of Undertow. `undertow config check` shows every value and where it came from.
#
# To change a setting, take the # away from its line and from its [section]. What is left out has the default shown;
# "(unset)" and "(empty)" mark examples of settings that have no value, or an empty one, by default; "(required)" one
# that its section must have.
# The environment comes before this file: UNDERTOW_MONITORS__ALPHA=0.01 stands for alpha in [monitors].
# Keys never stand here: settings that end in _env name an environment variable.
# `undertow audit` reads [tiers], [monitors], [outcomes] and [store]; the others are for `undertow serve`.
# Editors complete and check this file with `undertow config schema > undertow.schema.json`.
"""

_NAMED_EXAMPLES = {"tiers.NAME": "cheap", "outcomes.NAME": "ticket", "sources.NAME": "tickets", "keys.NAME": "web"}
_SECOND_TIER = "#[tiers.capable]\n#models = []\n#rank = 1  # (unset)"
_MORE_POLICIES = '# More policies, asked for by their names; the settings are those of [policy].\n#[policies.nightly]\n#kind = "fixed"\n#tier = "cheap"'


def settings_file(tiers: Mapping[str, tuple[str, ...]] | None = None) -> str:
    """Text of a commented settings file.

    Args:
        tiers: Tier name -> model names, cheapest first, to be set in the file; None: no tier is set.
    """
    parts = [_HEAD]
    for header, purpose, settings in all_settings():
        if header == "policies.NAME":
            parts.append(_MORE_POLICIES)
        elif header in _NAMED_EXAMPLES:
            parts.append(
                "\n".join(_section(header.replace(ANY_NAME, _NAMED_EXAMPLES[header]), purpose, settings, is_set=False))
            )
        else:
            parts.append("\n".join(_section(header, purpose, settings)))
        if header == "tiers.NAME":
            parts.append(_SECOND_TIER)
            parts += [_tier(name, models, rank) for rank, (name, models) in enumerate((tiers or {}).items())]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _tier(name: str, models: tuple[str, ...], rank: int) -> str:
    header = name if name.replace("-", "").replace("_", "").isalnum() else as_toml(name)
    return f"[tiers.{header}]\nmodels = {as_toml(models)}\nrank = {rank}"


def _section(header: str, purpose: str, settings: tuple[Setting, ...], *, is_set: bool = True) -> Iterator[str]:
    yield from _comment(purpose)
    yield f"[{header}]" if is_set else f"#[{header}]"
    kind = settings[0].policy_kind
    for setting in settings:
        name = setting.path.rsplit(".", 1)[1]
        if setting.policy_kind != kind:
            kind = setting.policy_kind
            yield f'# --- settings of kind = "{kind}"'
        choices = f" One of: {', '.join(setting.choices)}." if len(setting.choices) > 1 else ""
        yield from _comment(setting.description + choices)
        # Settings of another kind of policy bear two marks: taking all single ones away must leave a valid file.
        mark = "#" if setting.policy_kind in {None, "cascade"} else "##"
        is_empty = setting.default in {"[]", "{}"} and setting.example != setting.default
        value = setting.example if setting.default is None or is_empty else setting.default
        states = {"  # (required)": setting.required, "  # (unset)": setting.default is None, "  # (empty)": is_empty}
        state = next((each for each, holds in states.items() if holds), "")
        yield f"{mark}{name} = {value}{state}"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, width=110, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
