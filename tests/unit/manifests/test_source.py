from __future__ import annotations

from extproc.config.model.root import Config
from extproc.manifests.source import Source, Unrenderable


def test_the_text_of_a_file_does_not_show_up_in_logs() -> None:
    config = Config.model_validate(
        {
            "version": "v1",
            "agents": [{"id": "a", "url": "http://h"}],
            "listeners": [{"name": "l", "port": 1, "agents": [{"id": "a"}]}],
        }
    )
    assert "s3cret" not in repr(Source(config, "access_key: s3cret"))


def test_what_cannot_be_rendered_is_a_value_error() -> None:
    assert issubclass(Unrenderable, ValueError)
