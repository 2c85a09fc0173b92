from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest
from pydantic import BaseModel

from extproc import plugins


class Options(BaseModel):
    loud: bool = False


class Shout:
    Options = Options
    phases = frozenset({"input"})


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = {
        "shout": EntryPoint("shout", f"{__name__}:Shout", plugins.GROUP),
        "lost": EntryPoint("lost", "no_such_module:Lost", plugins.GROUP),
    }
    monkeypatch.setattr(plugins, "_registered", lambda: entries)
    monkeypatch.setattr(
        EntryPoint, "load", lambda each: Shout if each.name == "shout" else __import__("no_such")
    )
    plugins.load_plugin.cache_clear()


@pytest.mark.usefixtures("registered")
def test_a_registered_filter_is_found_by_name() -> None:
    assert plugins.plugin_names() == {"shout", "lost"}
    factory = plugins.load_plugin("shout")
    assert plugins.options_model(factory) is Options
    assert plugins.phases(factory) == {"input"}


@pytest.mark.usefixtures("registered")
def test_what_cannot_be_loaded_says_why() -> None:
    with pytest.raises(plugins.PluginError, match="no_such"):
        plugins.load_plugin("lost")
    with pytest.raises(plugins.PluginError, match="no filter whisper"):
        plugins.load_plugin("whisper")


def test_a_filter_may_take_its_options_as_they_are() -> None:
    assert plugins.options_model(dict) is None
    assert plugins.phases(dict) == {"input", "output"}
