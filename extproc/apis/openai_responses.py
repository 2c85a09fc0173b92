"""OpenAI responses: `POST /v1/responses`."""

from __future__ import annotations

from extproc.apis.entries import Entry, Misshapen, read_entries, role_of, text_of
from extproc.conversation import Message
from extproc.errors import InvalidRequest
from extproc.json_document import JsonObject


def messages(document: JsonObject, limit: int) -> tuple[Message, ...]:
    """Return the conversation: the items of `input`, or the one user message that it is.

    Items that are no messages count too, so that indices are those of the body: outputs of tools
    have the role `tool`, all others (calls, reasoning, references) are an assistant's, textless.
    """
    if document.is_array("input"):
        return read_entries(document, "input", limit, _item)
    text = document.get("input")
    if text is None:
        raise InvalidRequest("input is missing")
    if not isinstance(text, str):
        raise InvalidRequest("input must be text or a list")
    if not text:
        raise InvalidRequest("input is empty")
    return (Message(role="user", text=text),)


def _item(entry: Entry) -> Message:
    kind = entry.get("type")
    if kind is None:
        # A message may leave its type out, and so may a reference, which has no role.
        kind = "message" if "role" in entry else "item_reference"
    if not isinstance(kind, str):
        raise Misshapen("type", "text")
    if kind == "message":
        return Message(role=role_of(entry), text=text_of(entry.get("content")))
    # An approval answers an agent's request as a tool's output does.
    is_result = kind.endswith("_output") or kind == "mcp_approval_response"
    return Message(role="tool" if is_result else "assistant", text="")
