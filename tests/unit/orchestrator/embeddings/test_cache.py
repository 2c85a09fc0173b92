from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from extproc.orchestrator.embeddings import cache
from extproc.orchestrator.embeddings.cache import VectorCache, cache_folder

ONE = np.array([1, 0], np.float32)
OTHER = np.array([0, 1], np.float32)
SERVER = ("model", "http://h")


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def known(folder: Path | None, *texts: str, server: tuple[str, ...] = SERVER) -> dict[str, object]:
    loaded = VectorCache(folder, server).load(texts)
    return {text: vector.tolist() for text, vector in loaded.items()}


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"XDG_CACHE_HOME": "/c", "HOME": "/h"}, "/c/outerloop/embeddings"),
        ({"HOME": "/h"}, "/h/.cache/outerloop/embeddings"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/h"}, "/h/.cache/outerloop/embeddings"),
        ({"XDG_CACHE_HOME": "", "HOME": ""}, None),
        ({}, None),
    ],
)
def test_the_folder_is_where_the_specification_says(
    environ: dict[str, str], folder: str | None
) -> None:
    assert cache_folder(environ) == (Path(folder) if folder else None)


def test_what_was_saved_is_known_to_the_next(tmp_path: Path) -> None:
    VectorCache(tmp_path / "new", SERVER).save({"a": ONE})
    VectorCache(tmp_path / "new", SERVER).save({"b": OTHER})
    assert known(tmp_path / "new", "a", "b", "c") == {"a": [1, 0], "b": [0, 1]}


@pytest.mark.parametrize("server", [("model", "http://other"), ("other", "http://h")])
def test_another_server_has_its_own(tmp_path: Path, server: tuple[str, ...]) -> None:
    VectorCache(tmp_path, SERVER).save({"a": ONE})
    assert known(tmp_path, "a", server=server) == {}


def test_no_text_is_written(tmp_path: Path) -> None:
    VectorCache(tmp_path, SERVER).save({"a very secret text": ONE})
    (file,) = files(tmp_path)
    assert b"secret" not in file.read_bytes()
    assert file.stat().st_mode & 0o077 == 0


def test_without_a_folder_nothing_is_kept() -> None:
    VectorCache(None, SERVER).save({"a": ONE})
    assert known(None, "a") == {}


def test_a_folder_that_cannot_be_made_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    VectorCache(tmp_path / "file", SERVER).save({"a": ONE})
    assert known(tmp_path / "file", "a") == {}


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "text", "other members", "huge"])
def test_a_faulty_file_is_ignored_and_replaced(
    tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    VectorCache(tmp_path, SERVER).save({"a": ONE})
    (file,) = files(tmp_path)
    content = file.read_bytes()
    with file.open("wb") as stream:
        if damage == "other members":
            np.savez(stream, keys=np.zeros((1, 16), np.uint8))
        elif damage == "huge":
            stream.write(content)
            monkeypatch.setattr(cache, "MAX_BYTES", 100)
        else:
            middle = content.index(ONE.tobytes())
            stream.write(
                {
                    "empty": b"",
                    "cut": content[: len(content) // 2],
                    "flipped": content[:middle] + b"\x01" + content[middle + 1 :],
                    "text": b"not an archive",
                }[damage]
            )
    assert known(tmp_path, "a") == {}
    VectorCache(tmp_path, SERVER).save({"b": OTHER})
    monkeypatch.undo()
    assert known(tmp_path, "a", "b") == {"b": [0, 1]}


@pytest.mark.parametrize(
    ("keys", "vectors"),
    [
        (np.zeros((1, 15), np.uint8), np.zeros((1, 2), np.float32)),
        (np.zeros((2, 16), np.uint8), np.zeros((1, 2), np.float32)),
        (np.zeros((1, 16), np.int8), np.zeros((1, 2), np.float32)),
        (np.zeros((1, 16), np.uint8), np.zeros((1, 2), np.float64)),
        (np.zeros((1, 16), np.uint8), np.zeros(1, np.float32)),
        (np.zeros((1, 16), np.uint8), np.full((1, 2), np.nan, np.float32)),
        (np.zeros((1, 16), np.uint8), np.array([[None, None]])),
    ],
)
def test_members_of_another_kind_are_ignored(
    tmp_path: Path, keys: np.ndarray, vectors: np.ndarray
) -> None:
    VectorCache(tmp_path, SERVER).save({"a": ONE})
    (file,) = files(tmp_path)
    with file.open("wb") as stream:
        np.savez(stream, keys=keys, vectors=vectors)
    assert known(tmp_path, "a") == {}


def test_vectors_of_another_length_leave(tmp_path: Path) -> None:
    VectorCache(tmp_path, SERVER).save({"a": ONE})
    VectorCache(tmp_path, SERVER).save({"b": np.ones(3, np.float32)})
    assert known(tmp_path, "a", "b") == {"b": [1, 1, 1]}


def test_the_newest_stay_where_there_is_room_for_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room_for_two = 2 * (16 + ONE.nbytes)
    VectorCache(tmp_path, SERVER).save({"old": ONE, "older": ONE})
    monkeypatch.setattr(cache, "MAX_BYTES", 10 * room_for_two)
    assert set(known(tmp_path, "old", "older")) == {"old", "older"}
    monkeypatch.setattr(cache, "MAX_BYTES", room_for_two)
    VectorCache(tmp_path, SERVER).save({"new": OTHER, "newer": OTHER, "newest": OTHER})
    monkeypatch.undo()
    assert set(known(tmp_path, "old", "older", "new", "newer", "newest")) == {"new", "newer"}


def test_old_files_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_FILES", 2)
    for name in ("first", "second", "third"):
        VectorCache(tmp_path, (name,)).save({"a": ONE})
    assert len(files(tmp_path)) == 2
    assert known(tmp_path, "a", server=("third",)) == {"a": [1, 0]}
