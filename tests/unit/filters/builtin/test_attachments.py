from __future__ import annotations

import json

import pytest

from extproc.conversation import Api
from extproc.filters.api import Phase, Subject
from extproc.filters.builtin.attachments import attachments
from extproc.filters.builtin.reading import read


def kinds(api: Api, content: object, **entry: object) -> list[str]:
    name = "input" if api is Api.RESPONSES else "messages"
    body = {name: [{"role": "user", "content": content, **entry}]}
    subject = Subject(Phase.INPUT, api, json.dumps(body).encode())
    return sorted(attachments(read(subject)))


TEXT = {"type": "text", "text": "see"}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
DATA_URL = {"url": "data:image/png;base64,AA=="}


@pytest.mark.parametrize(
    ("api", "content", "found"),
    [
        (Api.CHAT, "image_url", []),
        (Api.CHAT, [TEXT, {"type": "image_url", "image_url": DATA_URL}], ["image"]),
        (Api.CHAT, [{"type": "input_audio", "input_audio": {"data": "AA=="}}], ["audio"]),
        (Api.CHAT, [{"type": "file", "file": {"file_id": "f"}}, TEXT], ["file"]),
        (Api.CHAT, [{"type": "video_url", "video_url": {"url": "https://a/b"}}], ["file"]),
        (Api.MESSAGES, [IMAGE, IMAGE], ["image", "image"]),
        (Api.MESSAGES, [{"type": "document", "source": {"type": "file"}}], ["file"]),
        (Api.MESSAGES, [{"type": "tool_result", "content": [TEXT, IMAGE]}], ["image"]),
        (Api.MESSAGES, [{"type": "tool_result", "content": "image"}], []),
        (
            Api.MESSAGES,
            [{"type": "document", "source": {"type": "content", "content": [IMAGE]}}],
            ["file", "image"],
        ),
        (Api.MESSAGES, [{"type": "tool_use", "id": "t", "input": {"type": "image"}}], []),
        (Api.RESPONSES, [{"type": "input_image"}, {"type": "input_file"}], ["file", "image"]),
        (Api.RESPONSES, [{"type": "input_audio"}], ["audio"]),
        (Api.CHAT, [{"type": ["image"]}, {"type": None}], []),
        (Api.CHAT, [IMAGE], ["image"]),
    ],
)
def test_parts_are_counted_by_kind(api: Api, content: object, found: list[str]) -> None:
    assert kinds(api, content) == found


@pytest.mark.parametrize(
    ("output", "found"),
    [
        ([{"type": "input_text", "text": "see"}, {"type": "input_image"}], ["image"]),
        ({"type": "computer_screenshot", "image_url": DATA_URL["url"]}, ["image"]),
        ("input_image", []),
    ],
)
def test_outputs_of_tools_count(output: object, found: list[str]) -> None:
    assert kinds(Api.RESPONSES, None, type="function_call_output", output=output) == found


def test_an_input_that_is_text_has_none() -> None:
    subject = Subject(Phase.INPUT, Api.RESPONSES, b'{"input":"see"}')
    assert list(attachments(read(subject))) == []


def test_deep_nesting_is_followed() -> None:
    part: object = IMAGE
    for _ in range(200):
        part = {"type": "tool_result", "content": [part]}
    assert kinds(Api.MESSAGES, [part]) == ["image"]
