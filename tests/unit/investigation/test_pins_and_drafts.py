"""What an analyst saw is kept with its numbers, and becomes a case by which a fix can be judged."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from log_histories import HOUR, History, between

import proofbook as pb
from proofbook.config.case import Case
from proofbook.errors import ConfigurationError, UsageError
from proofbook.investigation.look import Look
from proofbook.investigation.symptoms import pattern_of

TRACEBACK = 'Traceback (most recent call last):\n  File "/app/chat.py", line 12, in send\n    decode(frame)\nValueError: frame 17 of client 2.3 is too short'


def incident() -> History:
    """Of the requests for /chat a tenth fail, with a message and a traceback; /ws refuses some; all others go on."""
    it = History(seed=3).traffic(0, HOUR, url="/chat", faults=0.1, symptom="Decode failed: frame 9 of client 2.3 [x] (again?)")  # fmt: skip
    it.traffic(0, HOUR, url="/ws", faults=0.2, status=403, symptom=None)
    it.messages(0, HOUR, "Decode finished: frame {} of client 2.2", per_min=1)
    return it.messages(0, HOUR, TRACEBACK, per_min=0.2, severity="ERROR")


def look_at(history: History, folder: Path) -> Look:
    file = folder / "log.json"
    file.write_text("\n".join(map(json.dumps, sorted(history.entries, key=lambda entry: str(entry["timestamp"])))))  # fmt: skip
    return pb.look(file)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Look:
    return look_at(incident(), tmp_path_factory.mktemp("log"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PROOFBOOK_WORKSPACE", raising=False)
    return tmp_path


def test_a_selection_is_told_as_code_that_selects_the_same(seen: Look) -> None:
    bad = seen.between("00:10", "00:50").where("status>=400", path=["/ws", "/chat"]).but(status=500)
    assert bad.code.startswith("look.between('2026-01-01T00:10:00")
    again = eval(bad.code, {"look": seen})  # our own code over our own look
    assert len(again) == len(bad) > 0


def test_a_pin_keeps_what_was_said_of_how_many_of_how_many(seen: Look, here: Path) -> None:
    bad = seen.where("status>=500")
    pin = bad.pin("a tenth of the chats fail", by="ann")
    assert (pin.entries, pin.requests) == (len(bad), len(bad))
    assert pin.of_entries == len(seen) and pin.digests
    kept = tomllib.loads((here / "observations.toml").read_text())["pin"]
    assert kept[0]["said"] == "a tenth of the chats fail"
    assert kept[0]["select"] == "look.where('status>=500')"


def test_pins_are_added_and_listed_in_their_order(seen: Look, here: Path) -> None:
    seen.where("wrong").pin('first "quoted"\nsaid')
    seen.where(path="/ws").pin("not by refused upgrades", kind="ruled out")
    listed = seen.pins()
    assert list(listed["kind"]) == ["observation", "ruled out"]
    assert listed["said"][0] == 'first "quoted"\nsaid'


def test_a_hypothesis_says_what_would_refute_it_and_whether_that_is_there(seen: Look, here: Path) -> None:
    bad = seen.where("status>=500")
    open_ = bad.pin("only chats fail", kind="hypothesis", refuted_if="status>=500 and path='/ws'")
    assert open_.refuting == 0 and "nothing holds what would refute it" in str(open_)
    refuted = bad.pin("nothing is refused", kind="hypothesis", refuted_if="status=403")
    assert refuted.refuting > 0 and "entries hold what would refute it" in str(refuted)
    with pytest.raises(UsageError, match="refuted_if"):
        bad.pin("only chats fail", kind="hypothesis")


def test_a_file_that_holds_something_else_is_left_as_it_is(seen: Look, here: Path) -> None:
    (here / "observations.toml").write_text("[[note]]\nsaid = 'mine'\n")
    with pytest.raises(ConfigurationError, match=r"observations\.toml"):
        seen.where("wrong").pin("lost?")
    assert (here / "observations.toml").read_text() == "[[note]]\nsaid = 'mine'\n"


def test_what_is_said_of_nothing_or_as_nothing_known_is_refused(seen: Look, here: Path) -> None:
    with pytest.raises(UsageError, match="a sentence"):
        seen.pin("  ")
    with pytest.raises(UsageError, match="'observation', 'hypothesis', 'ruled out'"):
        seen.pin("x", kind="guess")  # type: ignore[arg-type]
    assert not (here / "observations.toml").exists()


def test_a_draft_names_what_failed_requests_wrote_and_others_did_not(seen: Look) -> None:
    draft = seen.where("wrong").draft("chat-fails")
    case = Case.model_validate(tomllib.loads(draft.text))
    symptoms = case.fixes[0].symptoms
    patterns = {symptom.log for symptom in symptoms}
    assert r"Decode failed: frame \S+ of client \S+ \[x\] \(again\?\)" in patterns
    assert (403, "/ws") in {(symptom.http_status, symptom.path) for symptom in symptoms}
    assert not any("answered in" in str(pattern) for pattern in patterns)
    decoded = next(symptom for symptom in symptoms if symptom.log and "Decode" in symptom.log)
    # What looks alike and is well must not match.
    assert any("Decode finished" in line for line in decoded.near_misses)
    assert draft.signs[0].matches > 0 and "the claim fails, as it must" in draft.notes[0]


@pytest.mark.slow
def test_what_is_written_at_other_times_without_anything_wrong_is_no_symptom(tmp_path: Path) -> None:
    # In these minutes all that decoded failed; at any other time most of it does not.
    history = incident().traffic(2 * HOUR, 3 * HOUR, url="/chat", said="decoding of chat began, {}")
    history.traffic(0, 10, url="/chat", said="decoding of chat began, {}", faults=1.0)
    seen_twice = look_at(history, tmp_path)
    draft = seen_twice.between("00:00", "00:10").where("wrong").draft("x")
    assert not any("decoding" in sign.said for sign in draft.signs)
    assert any("decoding" in said and "was not wrong" in said for said in draft.left_out)


@pytest.mark.slow
def test_a_step_on_the_way_to_an_error_is_no_symptom(tmp_path: Path) -> None:
    # All that chat fail, so all that say that they began to chat failed.
    it = History(seed=5).traffic(0, HOUR, url="/list")
    it.traffic(0, HOUR, url="/chat", said="chat of {} began", faults=1.0, symptom="Decode failed: frame 9 of client 2.3")  # fmt: skip
    draft = look_at(it, tmp_path).where("wrong").draft("x")
    assert any("Decode failed" in sign.said for sign in draft.signs)
    assert not any("began" in sign.said for sign in draft.signs)
    assert any("began" in said and "Nothing is added by" in said for said in draft.left_out)


def test_a_message_stands_for_the_status_that_goes_with_it(seen: Look) -> None:
    draft = seen.where("wrong").draft("x")
    assert "500 at /chat" not in [sign.said for sign in draft.signs]
    assert any("500 at /chat" in said and "Nothing is added by" in said for said in draft.left_out)


@pytest.mark.slow
def test_what_failed_as_often_before_is_no_symptom_of_what_began(tmp_path: Path) -> None:
    it = History(seed=3).traffic(0, HOUR, url="/list", faults=0.3, symptom="Cache of lists is cold again")
    it.traffic(HOUR / 2, HOUR, url="/chat", faults=0.2, symptom="Decode failed: frame 9 of client 2.3")
    seen = look_at(it, tmp_path)
    since = seen.between("00:30", "01:00").where("wrong").draft("since")
    assert [sign.said.split(":")[0] for sign in since.signs] == ["Decode failed"]
    # Of the whole hour nothing says what was usual.
    assert {sign.said.split(":")[0] for sign in seen.where("wrong").draft("all").signs} == {"Cache of lists is cold again", "Decode failed"}  # fmt: skip


@pytest.mark.slow
def test_what_is_as_frequent_in_quiet_time_is_no_symptom(tmp_path: Path) -> None:
    usual = History(seed=3).traffic(0, HOUR, url="/list", faults=0.1, symptom="Cache of lists is cold again")
    for name, history in (("quiet", between(usual, 0, 30)), ("now", between(usual, 30, 60))):
        (tmp_path / name).mkdir()
        look_at(history, tmp_path / name)
    seen = pb.look(tmp_path / "now" / "log.json", before=tmp_path / "quiet" / "log.json")
    with pytest.raises(UsageError, match="more often than in the quiet time, found none"):
        seen.where("wrong").draft("x")


@pytest.mark.slow
def test_of_what_few_met_a_case_of_its_own_is_proposed(tmp_path: Path) -> None:
    it = History(seed=3).traffic(0, HOUR, per_min=20, url="/chat", faults=0.5, symptom="Decode failed: frame 9 of client 2.3")  # fmt: skip
    it.traffic(0, HOUR, per_min=4, url="/list", faults=0.04, symptom="Cache of lists is cold again")
    draft = look_at(it, tmp_path).where("wrong").draft("x")
    assert [sign.said.split(":")[0] for sign in draft.signs] == ["Decode failed"]
    assert any("Cache of lists" in said and "is weak beside" in said for said in draft.left_out)


@pytest.mark.slow
def test_the_rarest_symptom_says_how_many_requests_are_needed(tmp_path: Path) -> None:
    it = History(seed=3).traffic(0, HOUR, per_min=20, url="/chat", faults=0.5, symptom="Decode failed: frame 9 of client 2.3")  # fmt: skip
    it.traffic(0, HOUR, per_min=20, url="/list", faults=0.05, symptom="Cache of lists is cold again")
    draft = look_at(it, tmp_path).where("wrong").draft("x")
    rarest = min(draft.signs, key=lambda sign: sign.requests)
    assert len(draft.signs) == 2 and rarest.requests * 5 < max(sign.requests for sign in draft.signs)
    # Of all its occurrences the first time none would fall into so many more requests, at least 19 of 20 times.
    stays = draft.asked / (draft.asked + draft.needed)
    assert (
        stays**rarest.requests <= 0.05 < (draft.asked / (draft.asked + draft.needed - 1)) ** rarest.requests
    )


def test_a_value_with_blanks_is_matched(tmp_path: Path) -> None:
    it = History(seed=3).traffic(0, HOUR, url="/chat", faults=0.3, symptom="Search did not answer within 150 ms, giving up")  # fmt: skip
    [sign] = look_at(it, tmp_path).where("wrong").draft("x").signs
    assert sign.matches == sign.requests and "did not answer within" in sign.pattern


def test_so_many_clean_requests_are_needed_that_the_rate_would_have_shown(seen: Look) -> None:
    draft = seen.where(path="/ws").where("status=403").draft("refused")
    share = draft.signs[0].requests / draft.asked
    assert 0.02 < (1 - share) ** draft.needed <= 0.05


def test_a_saved_draft_is_a_case_that_can_be_checked_and_none_is_overwritten(seen: Look, here: Path) -> None:
    draft = seen.where("wrong").draft("chat-fails", title="Chats fail")
    file = draft.save()
    assert file == here / "cases" / "chat-fails.toml" and file.read_text() == draft.text
    with pytest.raises(UsageError, match="is there already"):
        draft.save()
    draft.save(replace=True)


@pytest.mark.slow
def test_a_draft_is_called_what_was_pinned_of_its_selection(seen: Look, here: Path) -> None:
    bad = seen.where("wrong")
    bad.pin("chats fail since the release")
    bad.pin("it is the disk", kind="ruled out")
    seen.where(path="/ws").pin("another selection")
    assert 'title = "chats fail since the release"' in bad.draft("x").text
    assert 'title = "else"' in bad.draft("x", title="else").text
    assert "chats fail" not in seen.where("wrong").where("status>=500").draft("x").text


@pytest.mark.parametrize(
    ("name", "selection", "said"),
    [("../x", "wrong", "expected a name"), ("x", "status=200", "tell status=200 from other requests")],
)
def test_what_no_case_can_be_made_of_is_refused(name: str, selection: str, said: str, seen: Look) -> None:
    with pytest.raises(UsageError, match=said):
        seen.where(selection).draft(name)


def test_nothing_selected_gives_no_draft(seen: Look) -> None:
    with pytest.raises(UsageError, match="holds nothing"):
        seen.where("status=500 and path=/ws").draft("x")


def test_what_only_our_own_probes_caused_gives_no_draft(tmp_path: Path) -> None:
    it = History(seed=3).traffic(0, HOUR, url="/chat")
    it.ask(60, "/chat", status=500, trace="70726f6f66aaaaaaaaaaaaaaaaaaaaaa")
    with pytest.raises(UsageError, match="holds only what our own probes caused"):
        look_at(it, tmp_path).where("status=500").draft("x")


@pytest.mark.parametrize(
    ("template", "sample", "pattern"),
    [
        ("took <*> ms", "", None),
        ("<*>", "", None),
        ("a|b (c) failed for <*>: $<*> lost", "", r"a\|b \(c\) failed for \S+: \$\S+ lost"),
        (
            "from <*>: hello Message lost",
            "from ann: hello\nMessage lost",
            r"from\s+\S+:\s+hello\s+Message\s+lost",
        ),
        ("x", TRACEBACK, r"ValueError: frame \S+ of client \S+\.\S+ is too short"),
    ],
)
def test_a_pattern_is_what_stays_the_same(template: str, sample: str, pattern: str | None) -> None:
    assert pattern_of(template, sample) == pattern
