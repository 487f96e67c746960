from __future__ import annotations

from pathlib import Path

import pytest

from mlworker import storage


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STORAGE_URL", f"file://{tmp_path}/store%20room")
    return tmp_path / "store room"


def test_a_path_below_the_root_is_found(root: Path) -> None:
    assert storage.resolve("models/1/7") == root / "models/1/7"


@pytest.mark.parametrize("path", ["", ".", "..", "../x", "a/../../x", "/etc/passwd", "a/../.."])
def test_a_path_that_leaves_the_root_is_refused(root: Path, path: str) -> None:
    with pytest.raises(ValueError, match="not a path below"):
        storage.resolve(path)


def test_a_link_that_leaves_the_root_is_refused(root: Path, tmp_path: Path) -> None:
    root.mkdir()
    (root / "out").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="not a path below"):
        storage.resolve("out/file")


def test_the_default_is_a_folder_of_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STORAGE_URL", raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    assert storage.root() == tmp_path / "storage"


@pytest.mark.parametrize("url", ["s3://bucket", "file://host/folder", "folder"])
def test_another_kind_of_storage_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_URL", url)
    with pytest.raises(ValueError, match="STORAGE_URL"):
        storage.root()
