"""A request that the gateway itself refuses, with all that the caller is told."""

import msgspec


class RefusedError(Exception):
    """Refused before routing.

    Attributes:
        status: HTTP status.
        message: What was seen, what was expected, what to do; never a key and never text of the request.
        code: Machine-readable word, also the record's `error`.
        type_: OpenAI's error type.
        param: Field at fault, or None.
        headers: Further headers of the answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str,
        type_: str = "invalid_request_error",
        param: str | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.type_ = type_
        self.param = param
        self.headers = headers

    def body(self) -> bytes:
        """The error in OpenAI's shape."""
        return msgspec.json.encode(
            {"error": {"message": self.message, "type": self.type_, "param": self.param, "code": self.code}}
        )
