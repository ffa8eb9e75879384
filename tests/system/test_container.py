"""The recipe for a container holds: any user without a name or a home, and a root that cannot be written.

Without a daemon that builds images, the kernel's own parts of a container are used: a mount namespace with a read-only root, a
user that no file knows, and the variables, folders and user that the recipe states.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import recorded
from conftest import ROOT

RECIPE = (ROOT / "packaging" / "Containerfile").read_text(encoding="utf-8")
LAST_STAGE = RECIPE.rpartition("\nFROM ")[2]
USER = 54321
# A root that is read-only, with /mnt for temporary files and the runs beside it. Python may lie in somebody's home, which that
# user may not enter, so that it is mounted anew in folders that anybody may.
INSIDE = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /mnt
mkdir /mnt/python /mnt/kept
mount --bind "$PYTHON" /mnt/python
mount --bind "$KEPT" /mnt/kept
if [ -n "$CLOSED" ]; then mount -t tmpfs -o mode=755 tmpfs "$CLOSED"; mkdir -p "$PYTHON"; mount --bind /mnt/python "$PYTHON"; fi
mount --bind /mnt/kept "$KEPT"
mount -o remount,bind,ro /
mount -t tmpfs -o mode=1777 tmpfs /mnt
cd "$KEPT/workspace"
if touch /written 2>/dev/null; then echo "the root can be written" >&2; exit 99; fi
unset PYTHON KEPT CLOSED
exec setpriv --reuid "$1" --regid 0 --clear-groups --bounding-set=-all --no-new-privs "$@"
"""


def stated(instruction: str) -> list[str]:
    return re.findall(rf"^{instruction} (.*)$", LAST_STAGE, flags=re.MULTILINE)


def test_the_recipe_installs_what_the_checkout_locks_and_runs_as_nobody_in_particular() -> None:
    assert "--constraint requirements.lock" in RECIPE
    user, group = stated("USER")[0].split(":")
    assert int(user) > 0 and group == "0"
    for source in re.findall(r"^COPY (?!--from)(.*) \S+$", RECIPE, flags=re.MULTILINE):
        assert all((ROOT / name).exists() for name in source.split())
    assert json.loads(stated("ENTRYPOINT")[0]) == ["proofbook"]


def can_make_namespaces() -> bool:
    return (
        os.geteuid() == 0
        and all(map(shutil.which, ("unshare", "setpriv")))
        and subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0
    )


@pytest.fixture
def kept() -> Iterator[Path]:
    """A folder that every user may reach, which those of pytest are not."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="proofbook-container-") as folder:
        yield Path(folder)


@pytest.mark.extended
@pytest.mark.long
@pytest.mark.skipif(
    not can_make_namespaces(),
    reason="only root may make mount namespaces, with unshare and setpriv of util-linux",
)
@pytest.mark.parametrize("home", ["", "/"], ids=["no home", "home is the root"])
def test_a_whole_run_by_a_user_without_a_name_under_a_root_that_cannot_be_written(
    kept: Path, home: str
) -> None:
    if hidden := closed(ROOT) or closed(Path(sys.prefix)):
        pytest.skip(f"no other user may enter {hidden}, in which the checkout or its Python lies")
    workspace, outputs = kept / "workspace", kept / "outputs"
    for kind in ("environments", "cases"):
        shutil.copytree(recorded.GOLDEN / "files" / kind, workspace / kind)
    recorded.evidence_of("healthy", to=workspace / "evidence")
    outputs.mkdir()
    # As a volume of group 0, to which users belong that a platform chooses; the rest is for everybody to read.
    outputs.chmod(0o770)
    kept.chmod(0o755)
    prefix = Path(sys.base_prefix)
    variables = dict(item.split("=", 1) for item in stated("ENV"))
    variables |= {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "PROOFBOOK_OUTPUTS": str(outputs),
        "TMPDIR": "/mnt",
    }
    variables |= {
        "PYTHON": str(prefix),
        "KEPT": str(kept),
        "CLOSED": closed(prefix),
        "PYTHONPATH": str(ROOT / "lib"),
    }
    variables |= {"HOME": home} if home else {}
    words = [
        sys.executable,
        "-m",
        "proofbook.cli",
        "run",
        "rehearsal",
        "--case",
        "ssot-fixes",
        "--evidence",
        "evidence",
        "--json",
        "--metrics",
        str(outputs / "x.prom"),
    ]
    inside = INSIDE.replace('--reuid "$1"', f"--reuid {USER}")
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", inside, "sh", *words],
        capture_output=True,
        text=True,
        env=variables,
        timeout=900,
    )
    (found,) = json.loads(done.stdout)
    assert (done.returncode, found["verdict"], found["reason"]) == (0, "pass", ""), done.stderr
    folder = Path(found["folder"])
    assert folder.is_relative_to(outputs) and (folder / "report.html").is_file()
    assert {path.stat().st_uid for path in (folder, outputs / "index.html", outputs / "x.prom")} == {USER}
    # Nothing else was written, and nothing in vain.
    assert not [
        line
        for line in done.stderr.splitlines()
        if "Read-only" in line or "Permission" in line or "Warning" in line
    ]


def closed(folder: Path) -> str:
    """The highest folder above it that not everybody may enter; empty without one."""
    return next(
        (str(path) for path in reversed((folder, *folder.parents)) if not path.stat().st_mode & 0o001), ""
    )
