"""Settings: TOML, and the environment over it, which is the line after the first NUL as `NAME=VALUE` pairs."""

from outside_bytes.target import Target, in_time, only, written
from undertow.config.load import load_settings
from undertow.config.template import settings_file
from undertow.errors import ConfigError

MOST_PROBLEMS = 2_000


def read(data: bytes) -> None:
    """Settings, or one line a problem."""
    text, _, rest = data.partition(b"\0")
    env = dict(
        pair.partition("=")[::2] for pair in rest.decode("utf-8", "replace").split("\0") if pair.startswith("UNDERTOW_")
    )
    with in_time(), only(ConfigError, lines=MOST_PROBLEMS, canary=""):
        load_settings(written("undertow.toml", text), env)


SEEDS = (
    settings_file().encode(),
    b'[tiers.cheap]\nmodel = "small"\nrank = 0\nbase_url = "http://127.0.0.1:9/v1"\n[tiers.capable]\nmodel = "large"\nrank = 1\nbase_url = "https://x/v1"\napi_key_env = "KEY"\n',
    b'[gateway]\nport = 8484\n[audit]\nnever_noninferior = ["cheap@intent=billing"]\n\0UNDERTOW_GATEWAY__PORT=1\0UNDERTOW_TIERS__CHEAP__MODEL=a',
    b'[sources.tickets]\nkind = "files"\npath = "drop/*.csv"\n[ui]\nuser_header = "x-user"\nroles = { ada = "operator" }\n[keys.team]\nid = "a"\nsha256 = "b"\n',
)
TARGET = Target("settings", read, SEEDS)
