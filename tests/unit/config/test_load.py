import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.config import check_secrets, find_file, load_settings, named_variables
from undertow.errors import ConfigError

SMALLEST_GATEWAY = """
[tiers.cheap]
model = "small"
base_url = "http://127.0.0.1:9001/v1"

[tiers.capable]
model = "large"
base_url = "http://127.0.0.1:9002/v1"
api_key_env = "CAPABLE_API_KEY"

[policy]
kind = "cascade"        # cascade, classifier, fixed, split
threshold = 0.7         # until a calibration says better

[store]
path = "undertow-data"
"""


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "undertow.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(folder: Path, text: str | bytes, env: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        load_settings(write(folder, text), env or {})
    return str(refused.value).splitlines()


def read_or_refuse(path: Path | None, env: dict[str, str]) -> None:
    """Whatever is read: settings, or a ConfigError that says something; any other exception fails the test."""
    with contextlib.suppress(ConfigError):
        load_settings(path, env)


def test_without_file_and_environment_all_defaults_hold():
    loaded = load_settings(None, {"PATH": "/bin"})
    assert loaded.settings.monitors.alpha == 0.05
    assert loaded.settings.monitors_margin == 0.02
    assert loaded.settings.retention.text_days == 0
    assert set(loaded.origins.values()) == {"default"}
    assert loaded.path is None


def test_the_smallest_gateway_of_the_design_loads_and_knows_its_lines(tmp_path):
    loaded = load_settings(write(tmp_path, SMALLEST_GATEWAY), {})
    assert loaded.settings.tier_order == ("cheap", "capable")
    assert loaded.settings.tiers["capable"].api_key_env == "CAPABLE_API_KEY"
    assert loaded.origins["tiers.cheap.model"] == "undertow.toml:3"
    assert loaded.origins["policy.threshold"] == "undertow.toml:13"
    assert loaded.origins["policy.margin"] == "default"


def test_a_tier_needs_no_more_than_patterns_for_an_audit(tmp_path):
    loaded = load_settings(write(tmp_path, '[tiers.cheap]\nmodels = ["*-mini*"]\n'), {})
    assert loaded.settings.tiers["cheap"].models == ("*-mini*",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[monitors]\nmarging = 0.1\n", "undertow.toml:2: monitors.marging: no such setting; did you mean 'margin'?"),
        ("[monitor]\nalpha = 0.1\n", "undertow.toml:1: monitor: no such setting; did you mean 'monitors'?"),
        ("\n\nalpha = 0.1\n", "undertow.toml:3: alpha: no such setting; did you mean 'alpha' in [monitors]?"),
        ('[monitors]\nbucket = "1w"\n', "undertow.toml:2: monitors.bucket is '1w'; known: '1d', '1h'"),
        ('[policy]\nkind = "cascad"\n', "undertow.toml:2: policy.kind is 'cascad'; did you mean 'cascade'?"),
        ("[monitors]\nmargin = 2\n", "undertow.toml:2: monitors.margin is 2; it must be less than 1.0"),
        ("[monitors]\nalpha = 0\n", "undertow.toml:2: monitors.alpha is 0; it must be greater than 0.0"),
        ("[monitors]\nalpha = true\n", "undertow.toml:2: monitors.alpha is true; expected a valid number"),
        ("[monitors]\nlevel = nan\n", "undertow.toml:2: monitors.level is nan; it must be a finite number"),
        (
            "[monitors]\nlevel = 2020-01-01\n",
            "undertow.toml:2: monitors.level is '2020-01-01'; expected a valid number",
        ),
        (
            '[monitors]\nsegments = [\n "a",\n 2,\n]\n',
            "undertow.toml:4: monitors.segments[1] is 2; expected a valid string",
        ),
        (
            "[outcomes.ticket]\nusd = -3\n",
            "undertow.toml:2: outcomes.ticket.usd is -3; it must be greater than or equal to 0.0",
        ),
        (
            '[constraints]\nnever_cheap = ["fraud"]\n',
            "undertow.toml:2: constraints.never_cheap[0] has not the right form: expected 'key=value', such as 'intent=fraud'",
        ),
        (
            '[policy]\nkind = "fixed"\nthreshold = 0.5\n',
            "undertow.toml:3: policy.threshold: no such setting; it belongs to kind = 'cascade' or 'classifier'",
        ),
        (
            "[tiers.cheap]\nprices = { input_usd_per_mtok = 1.0 }\n",
            "undertow.toml:2: tiers.cheap.prices.output_usd_per_mtok is missing: Price of completion tokens.",
        ),
        ('[tiers.cheap]\nprices = "aut"\n', "undertow.toml:2: tiers.cheap.prices is 'aut'; did you mean 'auto'?"),
        (
            '[tiers."bad "]\n',
            "undertow.toml:1: 'tiers.bad ': a name has printable characters only, and no space at its ends",
        ),
        (
            '[tiers.cheap]\n[policy]\nkind = "fixed"\ntier = "chep"\n',
            "undertow.toml:4: policy.tier names the tier 'chep', which has no [tiers.chep]; did you mean 'cheap'?",
        ),
        (
            '[policy]\nkind = "split"\nshares = { a = 0.5, b = 0.6 }\n',
            "undertow.toml:3: policy.shares add up to 1.1; they must add up to 1",
        ),
        (
            "[tiers.a]\nrank = 0\n[tiers.b]\n",
            "undertow.toml:3: tiers.b has no rank, but other tiers have; give it to all or to none",
        ),
        (
            '[policies.x]\nkind = "classifier"\n',
            (
                "undertow.toml:1: policies.x is a classifier of method 'text' without artefact; `undertow train` writes one, "
                "and method = 'rules' needs none"
            ),
        ),
        (
            '[keys.web]\nid = "short"\nsha256 = "x"\n',
            (
                "undertow.toml:2: keys.web.id has not the right form: expected the 8 letters and digits after ut_ in the key, "
                "never the key itself\nundertow.toml:3: keys.web.sha256 has not the right form: expected 64 hexadecimal digits, "
                "the hash that `undertow key new` prints, never the key itself"
            ),
        ),
        (
            '[judge]\nmodel = "j"\n',
            "undertow.toml:2: judge.model is set, but judge.base_url is not; a judge needs an address",
        ),
    ],
)
def test_a_wrong_setting_is_refused_with_line_reason_and_nearest_choice(tmp_path, text, expected):
    assert refusal(tmp_path, text) == expected.splitlines()


def test_all_problems_are_found_in_one_go_in_order_of_lines(tmp_path):
    lines = refusal(tmp_path, "[monitors]\nalpha = 7\nlevel = 7\n[holdout]\nshare = 0.9\n")
    assert [line.split(" ")[0] for line in lines] == ["undertow.toml:2:", "undertow.toml:3:", "undertow.toml:5:"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"[monitors\n", "undertow.toml:1: no valid TOML"),
        (b"a = 1\na = 2\n", "undertow.toml:2: no valid TOML"),
        (b"a = 1\n\nb = 'unfinished\n", "undertow.toml:3: no valid TOML"),
        (b'a = """never closed\n', "no valid TOML"),
        (b"# gr\xfc\xdfe\n", "undertow.toml:1: is not UTF-8; save the file as UTF-8"),
        (b"\x00", "no valid TOML"),
        (b"#" * 1_000_001, "is larger than 1,000,000 bytes"),
        (b"a = " + b"[" * 5000, "undertow.toml"),
        (b"a = 1\nb = " + b"9" * 5000, "no valid TOML"),
    ],
)
def test_a_file_that_is_no_toml_is_refused_in_one_line(tmp_path, text, expected):
    (line,) = refusal(tmp_path, text)
    assert expected in line


def test_a_variable_whose_name_no_terminal_should_see_is_told_without_harm():
    with pytest.raises(ConfigError) as refused:
        load_settings(
            None, {"UNDERTOW_TIERS__\x1b[2J__MODEL": "a", "UNDERTOW_\x07": "1", "UNDERTOW_TIERS__A\x08P__MODL": "m"}
        )
    assert "\x1b" not in str(refused.value)
    assert "\x07" not in str(refused.value)
    assert "\x08" not in str(refused.value)
    assert r"tiers.\x1b[2j" in str(refused.value)
    assert r"UNDERTOW_\x07" in str(refused.value)


def test_byte_order_mark_and_windows_line_ends_are_read(tmp_path):
    loaded = load_settings(write(tmp_path, b"\xef\xbb\xbf# hello\r\n[monitors]\r\nalpha = 0.1\r\n"), {})
    assert loaded.origins["monitors.alpha"] == "undertow.toml:3"


def test_missing_file_and_folder_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot be read \(No such file.*undertow init"):
        load_settings(tmp_path / "absent.toml", {})
    with pytest.raises(ConfigError, match="is a folder"):
        load_settings(tmp_path, {})


def test_the_environment_comes_before_the_file(tmp_path):
    env = {
        "UNDERTOW_MONITORS__ALPHA": "0.01",
        "UNDERTOW_MONITORS__BUCKET": "1h",
        "UNDERTOW_MONITORS__SEGMENTS": '["intent"]',
        "UNDERTOW_TIERS__CHEAP__MODEL": "7",
        "UNDERTOW_CONSTRAINTS__CHEAP_TOOLS": "false",
    }
    loaded = load_settings(write(tmp_path, SMALLEST_GATEWAY + "[monitors]\nalpha = 0.2\n"), env)
    assert loaded.settings.monitors.alpha == 0.01
    assert loaded.settings.monitors.bucket == "1h"
    assert loaded.settings.monitors.segments == ("intent",)
    assert loaded.settings.tiers["cheap"].model == "7"
    assert loaded.settings.constraints.cheap_tools is False
    assert loaded.origins["monitors.alpha"] == "environment UNDERTOW_MONITORS__ALPHA"
    assert loaded.origins["monitors.segments"] == "environment UNDERTOW_MONITORS__SEGMENTS"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("UNDERTOW_TYPO", "1", "environment: UNDERTOW_TYPO: no such setting"),
        ("UNDERTOW_MONITORS__ALPH", "1", "did you mean UNDERTOW_MONITORS__ALPHA?"),
        ("UNDERTOW_MONITORS", "1", "environment: UNDERTOW_MONITORS: no such setting"),
        ("UNDERTOW_TIERS__CHEAP__MODE", "x", "did you mean UNDERTOW_TIERS__CHEAP__MODEL?"),
        ("UNDERTOW_MONITORS__ALPHA__X", "x", "environment: UNDERTOW_MONITORS__ALPHA__X: no such setting"),
        ("UNDERTOW_", "x", "environment: UNDERTOW_: no such setting"),
        ("UNDERTOW_MONITORS__ALPHA", "often", "environment UNDERTOW_MONITORS__ALPHA: monitors.alpha is 'often'"),
        ("UNDERTOW_MONITORS__BUCKET", "1w", "environment UNDERTOW_MONITORS__BUCKET: monitors.bucket is '1w'"),
    ],
)
def test_a_wrong_variable_is_refused_by_its_name(name, value, expected):
    with pytest.raises(ConfigError) as refused:
        load_settings(None, {name: value})
    assert expected in str(refused.value)
    assert "\n" not in str(refused.value)


def test_variables_that_are_not_ours_are_left_alone(tmp_path):
    injected = {
        "UNDERTOW_SERVICE_HOST": "10.0.0.1",
        "UNDERTOW_PORT_4040_TCP_ADDR": "10.0.0.1",
        "UNDERTOW_PORT": "tcp://x",
    }
    load_settings(None, injected | {"UNDERTOW_DEBUG": "1"})
    named = '[tiers.cheap]\napi_key_env = "UNDERTOW_CHEAP_KEY"\n'
    load_settings(write(tmp_path, named), {"UNDERTOW_CHEAP_KEY": "secret"})


@pytest.mark.parametrize(
    "text",
    [
        '[tiers.cheap]\napi_key = "sk-very-secret"\n',
        '[tiers.cheap]\napi_key_env = "sk-very-secret"\n',
        '[tiers.cheap]\napi_key_env = ["sk-very-secret"]\n',
        '[tiers.cheap]\nbase_url = "https://user:sk-very-secret@host/v1"\n',
        '[tiers.cheap]\nbase_url = "https://host/v1?key=sk-very-secret"\n',
        '[alerts]\nslack_url_env = "https://hooks.example/sk-very-secret"\n',
        'token = "sk-very-secret"\n',
        '[keys.web]\nkey = "sk-very-secret"\n',
        '[keys.web]\nid = "sk-very-secret"\nsha256 = "sk-very-secret"\n',
        '[keys.web]\nid = ["sk-very-secret"]\nsha256 = ["sk-very-secret"]\n',
        '[telemetry]\notlp_endpoint = "http://user:sk-very-secret@host"\n',
        '[tiers.cheap]\nparameters = "sk-very-secret"\nmodel_key = "sk-very-secret"\n',
    ],
)
def test_a_secret_in_the_wrong_place_is_never_repeated(tmp_path, text):
    if "parameters" in text:
        text = text.replace('parameters = "sk-very-secret"\n', "")
    assert "sk-very-secret" not in "\n".join(refusal(tmp_path, text))


def test_a_named_key_that_is_unset_is_refused_at_start_and_not_before(tmp_path):
    settings = load_settings(write(tmp_path, SMALLEST_GATEWAY), {}).settings
    assert named_variables(settings) == [("tiers.capable.api_key_env", "CAPABLE_API_KEY")]
    with pytest.raises(
        ConfigError, match=r"^tiers\.capable\.api_key_env: environment variable CAPABLE_API_KEY is not set"
    ):
        check_secrets(settings, {})
    with pytest.raises(ConfigError, match="CAPABLE_API_KEY is empty"):
        check_secrets(settings, {"CAPABLE_API_KEY": ""})
    check_secrets(settings, {"CAPABLE_API_KEY": "x"})


def test_keys_of_endpoints_are_found_too(tmp_path):
    text = '[tiers.a]\nendpoints = [{ base_url = "http://a/v1", api_key_env = "KEY_A" }]\n'
    assert named_variables(load_settings(write(tmp_path, text), {}).settings) == [
        ("tiers.a.endpoints[0].api_key_env", "KEY_A")
    ]


def test_the_file_is_the_given_one_else_the_one_in_the_folder(tmp_path):
    assert find_file(None, tmp_path) is None
    assert find_file(Path("x.toml"), tmp_path) == Path("x.toml")
    path = write(tmp_path, "")
    assert find_file(None, tmp_path) == path


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    path = write(tmp_path_factory.mktemp("fuzz"), content)
    read_or_refuse(path, {})


@given(st.text(max_size=60), st.text(max_size=40))
def test_any_variable_is_read_or_refused(name, value):
    read_or_refuse(None, {f"UNDERTOW_{name}": value})


@given(
    st.recursive(
        st.one_of(st.booleans(), st.integers(-5, 5), st.floats(), st.text(max_size=5)),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
        max_leaves=6,
    ),
    st.sampled_from(["tiers", "policy", "policies", "monitors", "outcomes", "constraints", "alerts", "judge"]),
)
def test_any_shape_of_a_section_is_read_or_refused(tmp_path_factory, value, section):
    from undertow.config.shape import as_toml

    def quoted(item):
        if isinstance(item, dict):
            return "{" + ", ".join(f"{_basic(key)} = {quoted(inner)}" for key, inner in item.items()) + "}"
        if isinstance(item, list):
            return "[" + ", ".join(map(quoted, item)) + "]"
        return _basic(item) if isinstance(item, str) else as_toml(item)

    def _basic(text):
        return '"' + "".join(f"\\U{ord(char):08x}" for char in text) + '"'

    path = write(tmp_path_factory.mktemp("fuzz"), f"{section} = {quoted(value)}\n")
    read_or_refuse(path, {})


def test_a_label_may_end_like_the_name_of_a_variable(tmp_path):
    key = f'[keys.web]\nid = "Hx3k9Qab"\nsha256 = "{"0" * 64}"\nlabels = {{ app_env = "prod" }}\n'
    loaded = load_settings(write(tmp_path, key), {})
    assert loaded.settings.keys["web"].labels == {"app_env": "prod"}
    assert named_variables(loaded.settings) == []


def test_what_can_hardly_be_meant_is_a_warning_with_its_line(tmp_path):
    text = SMALLEST_GATEWAY.replace('model = "small"', 'model = "small"\nkind = "anthropic"')
    loaded = load_settings(write(tmp_path, text), {})
    (warning,) = loaded.warnings
    assert warning.startswith("undertow.toml:12: policy is a cascade, but tiers.cheap speaks Anthropic's format")
    assert loaded.folder == tmp_path
