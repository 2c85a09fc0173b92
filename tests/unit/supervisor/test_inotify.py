from __future__ import annotations

from pathlib import Path

import pytest

from extproc.supervisor import inotify


@pytest.fixture
def limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "max_user_instances"
    file.write_text("128\n")
    monkeypatch.setattr("extproc.supervisor.inotify._LIMIT", file)
    return file


@pytest.mark.usefixtures("limit")
def test_more_files_than_may_be_watched_are_told_before_envoy_aborts() -> None:
    inotify.require(128)
    with pytest.raises(inotify.TooManyFiles, match=r"watches 129 .* fs.inotify.max_user_instances"):
        inotify.require(129)


def test_where_there_is_no_such_limit_any_number_is_fine(limit: Path) -> None:
    limit.write_text("many")
    inotify.require(10**6)
    limit.unlink()
    inotify.require(10**6)
