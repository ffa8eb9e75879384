"""The logs of an environment are read when somebody looks, kept as evidence, and read on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import proofbook as pb
from proofbook.errors import ConfigurationError, UnknownName, UsageError
from proofbook.evidence import store
from proofbook.runs import verify


class Shop:
    """A workspace with an environment whose log goes on."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "shop.log"
        self.file = folder / "environments" / "shop.toml"
        self.file.parent.mkdir()
        self.file.write_text('title = "Shop"\n[[log]]\nname = "shop"\nfile = "shop.log"\n')

    def writes(self, first: int, last: int, *, status: int = 200) -> None:
        """An entry a second, of a request each."""
        with self.log.open("a") as log:
            for second in range(first, last):
                at = f"2026-01-05T09:{second // 60:02}:{second % 60:02}Z"
                request = {"requestMethod": "GET", "requestUrl": "https://shop.example.com/cart", "status": status}  # fmt: skip
                log.write(json.dumps({"timestamp": at, "insertId": f"{second}", "httpRequest": request}) + "\n")  # fmt: skip


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.chdir(tmp_path)
    for name in ("PROOFBOOK_WORKSPACE", "PROOFBOOK_OUTPUTS"):
        monkeypatch.delenv(name, raising=False)
    return Shop(tmp_path)


@pytest.mark.slow
def test_the_logs_of_an_environment_are_read_now_and_kept_as_evidence(shop: Shop, tmp_path: Path) -> None:
    shop.writes(0, 90)
    look = pb.look("shop", since="09:01")
    assert len(look) == 30 and look.span[0].strftime("%H:%M:%S") == "09:01:00"
    (kept,) = (tmp_path / "outputs" / "shop" / "looks").glob("*")
    assert look.records.source.shown == str(kept.relative_to(tmp_path))
    evidence = store.read(kept / "evidence")
    assert list(evidence.manifest.phases) == [store.LOOK] and not evidence.altered()
    shop.log.unlink()
    # The same again, from what was kept.
    assert len(pb.look(kept)) == 90
    assert "our probes" not in repr(pb.look(kept))


def test_what_was_only_looked_at_is_no_run(shop: Shop, tmp_path: Path) -> None:
    shop.writes(0, 5)
    pb.look("shop")
    with pytest.raises(UsageError, match="last"):
        pb.look("last")


@pytest.mark.slow
def test_more_is_what_has_been_written_since(shop: Shop, tmp_path: Path) -> None:
    shop.writes(0, 90)
    look = pb.look("shop", since="09:01").where("status>=200")
    shop.writes(90, 120, status=500)
    assert len(look) == 30
    more = look.more()
    assert len(more) == 60 and more.code == look.code
    assert len(more.where(status=500)) == 30
    # A window that ended before the end of the log stays as it was.
    assert len(pb.look("shop").between("09:00", "09:00:10").more()) == 10


@pytest.mark.slow
def test_what_a_log_does_not_hold_any_more_stays(shop: Shop) -> None:
    shop.writes(0, 60)
    look = pb.look("shop")
    for first in (60, 90):
        shop.log.unlink()
        shop.writes(first, first + 30)
        look = look.more()
    assert len(look.records.ask(f"SELECT DISTINCT timestamp FROM {look.records.relation}")) == 120
    assert look.records.count == 120


def test_what_ends_is_not_read_on(shop: Shop) -> None:
    shop.writes(0, 5)
    with pytest.raises(UsageError, match=r"expected a look at an environment.*shop\.log"):
        pb.look("shop.log").more()


def test_an_environment_without_a_log_or_with_none_that_can_be_read_leaves_nothing(
    shop: Shop, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"shop\.log"):
        pb.look("shop")
    shop.file.write_text('[[service]]\nname = "a"\nurl = "http://127.0.0.1:9"\n')
    with pytest.raises(UsageError, match="shop names none"):
        pb.look("shop")
    shop.file.write_text("title = 3\n")
    with pytest.raises(ConfigurationError, match="title"):
        pb.look("shop")
    assert not list((tmp_path / "outputs").rglob("evidence"))


@pytest.mark.slow
def test_what_was_kept_can_be_verified(shop: Shop, tmp_path: Path) -> None:
    shop.writes(0, 5)
    pb.look("shop")
    (kept,) = (tmp_path / "outputs" / "shop" / "looks").glob("*")
    (answer,) = verify.run(kept)
    assert answer.held and "tables are unaltered since" in answer.what
    (kept / "evidence" / "look" / "log_kinds.parquet").write_bytes(b"else")
    (answer,) = verify.run(kept)
    assert not answer.held and "log_kinds.parquet" in answer.what


def test_a_misspelt_environment_is_named(shop: Shop) -> None:
    shop.writes(0, 5)
    with pytest.raises(UnknownName, match=r"no run or environment 'shpo'.* did you mean 'shop'"):
        pb.look("shpo")


def test_secrets_in_a_log_are_not_kept(shop: Shop, tmp_path: Path) -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJlLXRoYXQtaXMtbG9uZw"
    shop.log.write_text(json.dumps({"timestamp": "2026-01-05T09:00:00Z", "textPayload": f"sent {token}"}))
    assert token not in pb.look("shop").table()["body"][0]
    assert all(token.encode() not in path.read_bytes() for path in (tmp_path / "outputs").rglob("*") if path.is_file())  # fmt: skip


@pytest.mark.slow
def test_old_looks_go_and_it_is_said(shop: Shop, tmp_path: Path) -> None:
    shop.writes(0, 5)
    looks = tmp_path / "outputs" / "shop" / "looks"
    old = [looks / f"202501{day:02}T000000Z-abcd" for day in range(1, 26)]
    for folder in old:
        (folder / "evidence").mkdir(parents=True)
    look = pb.look("shop")
    # With the new one there are twenty.
    assert [folder for folder in old if folder.exists()] == old[6:]
    assert "6 old looks were removed: the newest 20 in outputs/shop/looks are kept, and all of the last 7 days" in repr(look)  # fmt: skip
    assert len(look) == 5
    # What is young stays, however many there are.
    for folder in old[6:]:
        folder.rename(looks / f"209{folder.name[3:]}")
    pb.look("shop")
    assert len(list(looks.iterdir())) == 21 and "removed" not in repr(pb.look("shop"))
