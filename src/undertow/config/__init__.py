"""Settings: what can be set, with which default and why, read from one `undertow.toml` and the environment."""

from undertow.config.load import DEFAULT_FILE, LoadedSettings, check_secrets, find_file, load_settings, named_variables
from undertow.config.settings import Settings

__all__ = [
    "DEFAULT_FILE",
    "LoadedSettings",
    "Settings",
    "check_secrets",
    "find_file",
    "load_settings",
    "named_variables",
]
