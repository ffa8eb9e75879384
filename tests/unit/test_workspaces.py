"""Which workspace a name means, told by the folder that one is in."""

from __future__ import annotations

from pathlib import Path

import pytest

from proofbook import paths
from proofbook.errors import UsageError


def made(folder: Path, *environments: str) -> Path:
    """A workspace with these environments."""
    (folder / "notebooks" / "environments").mkdir(parents=True)
    (folder / "notebooks" / "02-websocket.ipynb").write_text("{}")
    for name in environments:
        (folder / "notebooks" / "environments" / f"{name}.toml").write_text("")
    return folder


def found(name: str) -> Path:
    return paths.find_file("environment", name, base=paths.root())


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout that is installed, with an environment of its own beside ours."""
    made(tmp_path / "installed", "rehearsal", "staging")
    monkeypatch.setattr(paths, "SHIPPED", tmp_path / "installed")
    monkeypatch.delenv("PROOFBOOK_WORKSPACE", raising=False)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path / "installed"


def test_outside_a_workspace_the_environment_of_another_one_is_refused_by_name(installed: Path) -> None:
    with pytest.raises(UsageError) as raised:
        found("staging")
    assert str(raised.value) == (
        f"the environment 'staging' belongs to the workspace {installed}, and the current folder does not; "
        f"go to the workspace that you mean, or name it: PROOFBOOK_WORKSPACE={installed}"
    )


def test_outside_a_workspace_the_practice_environment_and_files_beside_one_can_be_used(
    installed: Path,
) -> None:
    assert found("rehearsal").is_relative_to(installed)
    beside = Path.cwd() / "environments"
    beside.mkdir()
    (beside / "staging.toml").write_text("")
    assert found("staging") == beside / "staging.toml"


def test_a_workspace_that_is_named_is_used_from_anywhere_with_its_outputs(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROOFBOOK_WORKSPACE", str(installed))
    assert found("staging").is_relative_to(installed)
    assert paths.outputs(paths.root()) == installed / "outputs"


def test_a_workspace_of_ones_own_comes_before_the_installed_one(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made(tmp_path / "own", "staging"))
    assert found("staging").is_relative_to(tmp_path / "own")
    with pytest.raises(
        UsageError, match="there is no environment 'mine' in notebooks/environments; there are: staging"
    ):
        found("mine")
