"""`[store]`, `[retention]`, `[alerts]` and `[passthrough]`: what is kept, who is told, and what is passed on unrouted."""

from typing import Annotated

from pydantic import Field, StringConstraints

from undertow.config.section import Days, FilePath, HookName, Section, Url, VariableName

Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)]


class StoreSettings(Section):
    """Where decisions and signals are kept."""

    path: str = Field(
        default="undertow-data",
        min_length=1,
        description="Folder with decisions/ and signals/; `undertow audit` reads it.",
    )
    id_key_env: VariableName | None = Field(
        examples=["UNDERTOW_ID_KEY"],
        default=None,
        description="Environment variable with the key for HMAC-SHA256 of user and conversation ids, applied alike by "
        "gateway, feedback, outcome import, audit and deletion (decision ids are random). Unset: ids stay as given, and doctor says so.",
    )
    segment_mb: float = Field(
        default=64.0,
        ge=1,
        le=10_000,
        description="Millions of bytes after which a worker's log segment is closed and becomes Parquet; about 100,000 decisions.",
    )
    segment_s: float = Field(
        default=300.0,
        ge=1,
        le=86_400,
        description="Seconds after which it is closed even if it is small; readers see open segments, too.",
    )


class RetentionSettings(Section):
    """How long text is kept. Private by default: text only of decisions that were drawn for review or shadow."""

    text_days: Days = Field(default=0.0, description="Days that every prompt and answer is kept. 0: never written.")
    sampled_text_days: Days = Field(
        default=14.0,
        description="Days that the text of decisions drawn for review or shadow is kept: a reviewer needs it.",
    )
    redact: HookName | None = Field(
        examples=["my_package.cleaning:redact"],
        default=None,
        description="Python function (package.module:function) that cleans a text before it is written.",
    )
    text_sketch: bool = Field(
        default=False,
        description="Keep hashed words of what drawn decisions asked, for slices, once their text is gone. Needs store.id_key_env: who has "
        "that key can test words of a dictionary against them.",
    )
    decisions_days: Days | None = Field(
        examples=[400.0], default=None, description="Days that decisions are kept. Unset: for ever."
    )


class AlertsSettings(Section):
    """Who is told of an alarm. Every address that is a secret is named by its environment variable. Read by `undertow serve`."""

    slack_url_env: VariableName | None = Field(
        examples=["SLACK_WEBHOOK_URL"],
        default=None,
        description="Environment variable with a Slack-compatible webhook address.",
    )
    pagerduty_key_env: VariableName | None = Field(
        examples=["PAGERDUTY_ROUTING_KEY"],
        default=None,
        description="Environment variable with a PagerDuty Events v2 routing key.",
    )
    pagerduty_url: Url = Field(
        default="https://events.pagerduty.com/v2/enqueue",
        examples=["https://events.eu.pagerduty.com/v2/enqueue"],
        description="Address of PagerDuty's Events API; accounts in the EU have another one.",
    )
    alertmanager_url: Url | None = Field(
        examples=["https://alertmanager.example.org"], default=None, description="Address of a Prometheus Alertmanager."
    )
    webhook_url: Url | None = Field(
        examples=["https://example.org/hooks/undertow"],
        default=None,
        description="Address that gets every alarm as JSON.",
    )
    webhook_secret_env: VariableName | None = Field(
        examples=["WEBHOOK_SECRET"],
        default=None,
        description="Environment variable with the key that signs webhook_url's messages (HMAC-SHA256).",
    )
    email_to: tuple[Email, ...] = Field(
        examples=[["oncall@example.org"]], default=(), description="Addresses that get a mail."
    )
    email_from: Email = Field(default="undertow@localhost", description="Sender of those mails.")
    smtp_url_env: VariableName | None = Field(
        examples=["SMTP_URL"],
        default=None,
        description="Environment variable with the mail server: smtp://USER:PASSWORD@HOST:PORT, smtps:// for TLS from the first byte.",
    )
    dead_man_url_env: VariableName | None = Field(
        examples=["HEALTHCHECK_URL"],
        default=None,
        description="Environment variable with an address that is called after each look. It tells you when the calls stop.",
    )
    link_url: Url | None = Field(
        examples=["https://undertow.example.org/ui"], default=None, description="Address of the dashboard, for links."
    )
    allow_internal: bool = Field(
        default=False,
        description="Let webhooks go to private and loopback addresses. Off: such an address is refused, also after a redirect.",
    )
    repeat_hours: float = Field(
        default=24.0, gt=0, le=720, description="One alarm that lasts is told again after this long, not sooner."
    )


class PassthroughSettings(Section):
    """Upstream for the paths that are not routed (embeddings and others). Read by `undertow serve`."""

    base_url: Url | None = Field(
        examples=["http://127.0.0.1:9004/v1"],
        default=None,
        description="Address of that upstream, up to and including /v1. Unset: such paths answer 404.",
    )
    api_key_env: VariableName | None = Field(
        examples=["PASSTHROUGH_API_KEY"], default=None, description="Environment variable that holds its key."
    )
    ca_file: FilePath | None = Field(
        examples=["ca.pem"],
        default=None,
        description="Certificate authorities (PEM) to trust for it, beside this file or absolute. Unset: the system's.",
    )
