import pytest
from pydantic import ValidationError

from undertow.config.ui import UiSettings


def test_by_default_nobody_is_named_by_a_proxy_and_no_name_but_this_machines_is_answered():
    ui = UiSettings()
    assert ui.enabled
    assert (ui.user_header, ui.trusted_proxies, ui.roles, ui.default_role, ui.public_hosts) == (None, (), {}, None, ())


@pytest.mark.parametrize(
    "values",
    [
        {"trusted_proxies": ("proxy.example",)},
        {"trusted_proxies": ("0.0.0.0/0",)},
        {"trusted_proxies": ("::/0",)},
        {"trusted_proxies": ("10.0.0.5:80",)},
        {"user_header": "Cookie"},
        {"user_header": "HOST"},
        {"user_header": "Content-Length"},
        {"user_header": "Transfer-Encoding"},
        {"user_header": "X-Forwarded-For"},
        {"user_header": "Sec-Fetch-User"},
        {"user_header": "X-Undertow-Peer"},
        {"user_header": "X User"},
        {"user_header": "X-User\r\nX"},
        {"roles": {"ada": "admin"}},
        {"roles": {"": "viewer"}},
        {"roles": {"a\nb": "viewer"}},
        {"default_role": "none"},
        {"public_hosts": ("https://undertow.example.org",)},
        {"public_hosts": ("undertow.example.org:443",)},
        {"public_hosts": ("*",)},
        {"session_hours": 0.0},
        {"refresh_s": 0.0},
    ],
)
def test_wrong_values_are_refused(values):
    with pytest.raises(ValidationError):
        UiSettings(**values)


def test_networks_users_and_names_are_taken():
    ui = UiSettings(
        user_header="X-Forwarded-User", trusted_proxies=("10.0.0.5", "10.1.0.0/16", "fd00::/8"), public_hosts=("undertow.example.org",),
        roles={"ada@example.org": "operator", "Ærø": "viewer"},
    )  # fmt: skip
    assert ui.roles["ada@example.org"] == "operator"
