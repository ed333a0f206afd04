"""Forms that pages of ours send: read within bounds, and only with the token of their sender's session."""

import hmac
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request

from undertow.dashboard.access import ForbiddenError, Person

MAX_FORM_BYTES = 100_000


async def form_of(request: Request, person: Person) -> dict[str, str]:
    """The fields of a form that a page of ours sent.

    Raises:
        ForbiddenError: It does not carry the token of its sender's session.
        HTTPException: It is too large, or no form.
    """
    fields = await fields_of(request)
    given = fields.pop("csrf", request.headers.get("x-csrf", ""))
    if not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), person.csrf.encode()):
        raise ForbiddenError("this form is of another session; load the page again")
    return fields


async def fields_of(request: Request) -> dict[str, str]:
    """The fields of a form, whoever sent it; of those with the same name the last.

    Raises:
        HTTPException: It is too large, or no form.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise HTTPException(413, f"a form of at most {MAX_FORM_BYTES:,} bytes was expected")
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=200)
    except ValueError:
        raise HTTPException(400, "this is no form") from None
    return {name: values[-1] for name, values in fields.items()}
