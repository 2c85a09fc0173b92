from __future__ import annotations

from typing import Any

from extproc.config.model.root import Config
from extproc.config.targets import EMBEDDINGS, MODEL, targets


def config(**orchestrator: Any) -> Config:
    return Config.model_validate(
        {
            "version": "v1",
            "agents": [{"id": "a", "url": "http://a"}],
            "listeners": [{"name": "l", "port": 0, "agents": [{"id": "a"}]}],
            "orchestrator": orchestrator,
        }
    )


def test_a_file_without_servers_has_no_targets() -> None:
    assert targets(config()) == {}


def test_servers_by_the_names_of_their_routes() -> None:
    both = targets(
        config(
            model={"url": "https://host/api/v1", "name": "m"},
            embeddings={"url": "http://127.0.0.1:8000", "name": "e"},
        )
    )
    assert set(both) == {MODEL, EMBEDDINGS}
    assert both[MODEL].origin.path_prefix == "/api"
    assert both[EMBEDDINGS].origin.port == 8000
    assert [target.name for target in both.values()] == [MODEL, EMBEDDINGS]
