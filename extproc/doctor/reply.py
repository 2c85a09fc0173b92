"""An answer of the gateway, as far as doctor looks at it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from extproc import names


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer.

    Header names are in lower case. Of the body there is the beginning, see `client.LONGEST_BODY`.
    `seconds` is from the beginning of the request to the answer's headers, `arrivals` to each piece
    of its body. `request_id` is the `x-request-id` that was sent.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    seconds: float = 0.0
    arrivals: tuple[float, ...] = ()
    request_id: str = ""

    def header(self, name: str) -> str | None:
        """Return the first value of a header, None where there is none."""
        return next((value for key, value in self.headers if key == name), None)

    @property
    def code(self) -> str | None:
        """Our code of an error, by its header; None on answers that are no error of ours."""
        return self.header(names.HEADER_ERROR)

    @property
    def document(self) -> dict[str, Any]:
        """The body as a JSON object, empty where it is none."""
        try:
            document = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return document if isinstance(document, dict) else {}

    @property
    def error(self) -> dict[str, Any]:
        """The error object of the body, in the shape of either API; empty where there is none."""
        error = self.document.get("error")
        return error if isinstance(error, dict) else {}

    @property
    def succeeded(self) -> bool:
        """Whether the status is 2xx."""
        return self.status // 100 == 2  # noqa: PLR2004 - HTTP's class of success

    def refuses(self, status: int, code: str) -> bool:
        """Tell whether this is our refusal of that status and code."""
        return (self.status, self.code) == (status, code)

    def __str__(self) -> str:
        if self.code is not None:
            message = self.error.get("message")
            said = f" ({message})" if self.code == "internal_error" and message else ""
            return f"{self.status} {self.code}{said}"
        if self.succeeded:
            return str(self.status)
        told = self.header("location") or self.header("server")
        return f"{self.status} that is none of ours" + (f" ({told})" if told else "")
