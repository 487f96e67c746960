"""What the user types: figures as JSON, and errors that say what to do."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from annotator import exporting
from annotator.models import Document, Job, Mention, Project, SignInLink, User
from mlworker.schema import Outcome
from mlworker.tasks import gpu, llm
from tests import factories
from tests.annotator import workers

pytestmark = pytest.mark.django_db

LABELS = "- name: person\n  description: People.\n- place\n"


@pytest.fixture
def project() -> Project:
    return factories.make_project("Letters")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, storage: Path) -> None:
    """Model and LLM that find and say the same in every text."""

    def task(make: Any) -> Any:
        return lambda request: {"ok": make(request).to_json()}

    found = (("Ada", "person", 0.1), ("Oslo", "place", 0.7))
    monkeypatch.setattr(gpu, "train", task(workers.train))
    monkeypatch.setattr(gpu, "tag", task(lambda request: workers.tag(request, *found)))
    monkeypatch.setattr(
        llm, "ask", task(lambda request: workers.answer(request, Ada="person", Oslo="place"))
    )


def call(name: str, *given: str) -> str:
    out = StringIO()
    call_command(name, *given, stdout=out, stderr=StringIO())
    return out.getvalue()


def told(name: str, *given: str) -> str:
    """What is said beside the answer."""
    err = StringIO()
    call_command(name, *given, stdout=StringIO(), stderr=err)
    return err.getvalue()


def figures(name: str, *given: str) -> dict[str, Any]:
    lines = call(name, *given, "--json").splitlines()
    assert len(lines) == 1
    parsed: dict[str, Any] = json.loads(lines[0])
    return parsed


def gold(project: Project, train: int = 10, dev: int = 2, test: int = 1) -> None:
    splits = ["train"] * train + ["dev"] * dev + ["test"] * test
    for number, split in enumerate(splits):
        document = factories.make_document(
            project, f"Ada saw Oslo {number}.", status="gold", split=split
        )
        factories.make_mention(document, "Ada", "person", state="accepted")


def test_the_whole_loop(project: Project, machine: None, tmp_path: Path) -> None:
    Project.objects.update(provider=Project.Provider.RECORDED, recording="demo")
    gold(project)
    factories.make_document(project, "Ada left Oslo.")
    trained = figures("train", "Letters")
    assert trained == {
        "version": 1,
        "start": None,
        "train_documents": 10,
        "dev_documents": 2,
        "seconds": 1.0,
        "dev_precision": 50.0,
        "dev_recall": 60.0,
        "dev_f1": 54.55,
        "tau": 0.4,
    }
    assert figures("tag", "letters") == {
        "documents": 4,
        "to_review": 1,
        "mentions_needing_people": 1,
    }
    linked = figures("link", "Letters")
    assert (linked["asked"], linked["answered"], linked["unresolved"]) == (6, 6, 0)
    kinds = list(Job.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds == ["train", "tag", "link", "recalibrate", "link"]
    recalibrated = figures("recalibrate", "Letters")
    assert recalibrated["method"] == "least_confidence"
    assert recalibrated["tau"] == linked["tau"]
    assert "held-out spans" in recalibrated["note"]
    assert recalibrated["routed"] <= recalibrated["predicted"]
    none = figures("recalibrate", "Letters", "--questions-per-100", "0")
    assert "0 questions per 100 documents" in none["note"]
    # A budget goes before what the held-out gold says, until it is taken away.
    assert figures("recalibrate", "Letters")["note"] == none["note"]
    again = figures("recalibrate", "Letters", "--questions-per-100", "none")
    assert again["note"] == recalibrated["note"]
    counted = figures("evaluate", "Letters", "--split", "dev")
    assert set(counted) == {
        "project",
        "split",
        "documents",
        "gold",
        "model_version",
        "method",
        "tau",
        "routed",
        "asked",
        "local",
        "llm",
        "fused",
    }
    assert (counted["documents"], counted["gold"]) == (2, 2)
    file = tmp_path / "out.jsonl"
    exported = figures("export", "Letters", str(file), "--format", "jsonl")
    assert exported == {"file": str(file), "documents": 14, "mentions_left_out": 0}
    assert len(file.read_text().splitlines()) == 14


def test_a_training_goes_on_from_the_version_that_serves_or_begins_anew_when_told(
    project: Project, machine: None
) -> None:
    gold(project)
    trained = [figures("train", "Letters", *given) for given in ([], [], ["--cold"], [])]
    assert [(t["version"], t["start"]) for t in trained] == [(1, None), (2, 1), (3, None), (4, 3)]


def test_a_silent_llm_ends_the_command_too(
    project: Project, machine: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    Project.objects.update(provider=Project.Provider.RECORDED, recording="demo")
    gold(project)
    call("train", "Letters")
    call("tag", "Letters")
    monkeypatch.setattr(llm, "ask", lambda r: {"ok": workers.answer(r).to_json()})
    assert figures("link", "Letters")["answered"] == 0
    assert figures("link", "Letters")["tau"] == 0.4
    refused = {"reason": "The key is wrong. Set LLM_API_KEY."}
    monkeypatch.setattr(
        llm, "ask", lambda r: {"ok": workers.outcome(r, Outcome.REFUSED, **refused).to_json()}
    )
    with pytest.raises(CommandError, match=r"Asking the LLM ended failed: The key is wrong"):
        call("link", "Letters")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["train", "Nowhere"], "There is no project “Nowhere”. Projects: Letters."),
        (["train", "Letters"], "0 gold documents to learn from are too few"),
        (["tag", "Letters"], "There is no model yet; train one first."),
        (["link", "Letters"], "This project asks no LLM."),
        (["recalibrate", "Letters"], "There is no model yet"),
        (["recalibrate", "Letters", "--questions-per-100", "5"], "tag first"),
        (["recalibrate", "Letters", "--questions-per-100", "-1"], "must not be negative"),
        (["recalibrate", "Letters", "--questions-per-100", "few"], "a number or “none”, not 'few'"),
        (["evaluate", "Letters"], "There is no model yet"),
        (["sign_in_link", "nobody"], "There is no active user “nobody”."),
        (["export", "Letters", "/nowhere/x", "--format", "jsonl"], "No such file or directory"),
        (["import_corpus", "Letters", "/nowhere/x.txt"], "/nowhere/x.txt: No such file"),
        (["create_project", "New", "--labels", "/nowhere"], "/nowhere: No such file or directory"),
    ],
)
def test_errors_say_what_to_do(project: Project, given: list[str], says: str) -> None:
    with pytest.raises(CommandError) as error:
        call(*given)
    assert says in str(error.value)


def test_a_project_is_made_with_its_operators_as_owners(tmp_path: Path) -> None:
    operator = factories.make_user(is_superuser=True)
    factories.make_user()
    file = tmp_path / "labels.yaml"
    file.write_text(LABELS)
    new = ["create_project", "New", "--labels", str(file), "--llm", "--language", "de"]
    assert "person, place" in call(*new)
    assert Project.objects.get(name="New").language == "de"
    project = Project.objects.get()
    assert (project.provider, project.memberships.get().user) == ("openai", operator)
    with pytest.raises(CommandError, match="already exists"):
        call("create_project", "New", "--labels", str(file))
    file.write_text("- O")
    with pytest.raises(CommandError, match="not an entity"):
        call("create_project", "Other", "--labels", str(file))
    assert Project.objects.count() == 1


def test_files_come_in_one_by_one(project: Project, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.conll", tmp_path / "bad.conll"
    good.write_text("Ada B-person\n\nBo B-person\n")
    bad.write_text("Ada B-person\nmet\n")
    options = ["--format", "conll", "--gold", "--split", "train"]
    assert figures("import_corpus", "Letters", str(good), *options) == {
        "files": 1,
        "documents": 2,
    }
    with pytest.raises(CommandError, match=r"bad.conll, line 2: .*Nothing of this file"):
        call("import_corpus", "Letters", str(bad), *options)
    with pytest.raises(CommandError, match="This file is already here"):
        call("import_corpus", "Letters", str(good), *options)
    assert {(d.status, d.split) for d in Document.objects.all()} == {("gold", "train")}


def test_a_file_whose_name_is_no_utf_8_comes_in(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "caf\udce9.txt"
    file.write_text("Ada")
    call("import_corpus", "Letters", str(file))
    assert Document.objects.get().name == "caf?.txt:1"


def test_an_export_says_how_far_it_is(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "CHUNK", 2)
    gold(project, train=3, dev=0, test=0)
    said = told("export", "Letters", str(tmp_path / "out.jsonl"), "--format", "jsonl")
    assert said.splitlines() == ["out.jsonl: 2/3", "out.jsonl: 3/3"]


def test_a_step_that_counts_nothing_shows_no_count(
    project: Project, machine: None, capsys: pytest.CaptureFixture[str]
) -> None:
    gold(project)
    figures("train", "Letters")
    assert "0/0" not in capsys.readouterr().err
    call("recalibrate", "Letters")
    said = capsys.readouterr().err
    assert "Recalibrating: " in said
    assert "0/0" not in said


def test_a_failed_export_leaves_the_file_that_was_there(project: Project, tmp_path: Path) -> None:
    factories.make_document(project)
    (tmp_path / "there").mkdir()
    with pytest.raises(CommandError):
        call("export", "Letters", str(tmp_path / "there"), "--format", "jsonl")
    assert list(tmp_path.iterdir()) == [tmp_path / "there"]


def test_the_first_start_makes_admin_and_demo_once() -> None:
    link = call("first_start").strip()
    admin = User.objects.get()
    assert (admin.is_superuser, admin.has_usable_password()) == (True, False)
    assert Project.objects.get().role_of(admin) == "owner"
    assert SignInLink.redeem(link.rstrip("/").rpartition("/")[2]) == admin
    assert call("first_start") == ""
    assert Project.objects.count() == 1


def test_the_first_admin_sees_projects_made_before_there_was_anybody(tmp_path: Path) -> None:
    (tmp_path / "labels.yaml").write_text(LABELS, encoding="utf-8")
    call("create_project", "Early", "--labels", str(tmp_path / "labels.yaml"))
    call("first_start")
    assert Project.objects.get(name="Early").role_of(User.objects.get()) == "owner"


def test_somebody_locked_out_gets_a_new_link(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "8123")
    user = factories.make_user("ada")
    link = call("sign_in_link", "ada").strip()
    assert link.startswith("http://127.0.0.1:8123/")
    assert SignInLink.redeem(link.rstrip("/").rpartition("/")[2]) == user
    user.is_active = False
    user.save()
    with pytest.raises(CommandError, match="no active user"):
        call("sign_in_link", "ada")


def test_plain_output_is_a_figure_a_line(project: Project, machine: None) -> None:
    factories.make_version(project)
    factories.make_document(project, "Ada left Oslo.")
    assert call("tag", "Letters") == "documents: 1\nto_review: 1\nmentions_needing_people: 1\n"


def test_a_folder_without_spanlight_is_told(tmp_path: Path, settings: Any) -> None:
    settings.DATA_DIR = tmp_path
    before = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = str(tmp_path / "missing.sqlite3")
    try:
        with pytest.raises(CommandError, match=r"There is no Spanlight in .* Set DATA_DIR"):
            call_command("sign_in_link", "admin")
    finally:
        connection.settings_dict["NAME"] = before
    assert list(tmp_path.iterdir()) == []


# --- Sentences read whole ----------------------------------------------------------------------
@pytest.fixture
def reader(project: Project, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose LLM finds Ada and Oslo wherever they stand, and answers questions too."""
    settings.LLM_BASE_URL, settings.LLM_MODEL = "http://127.0.0.1:1/v1", "m"
    Project.objects.update(provider=Project.Provider.OPENAI)

    def ask(request: dict[str, Any]) -> dict[str, Any]:
        if request["passages"]:
            return {"ok": workers.read(request, Ada="person", Oslo="place").to_json()}
        return {"ok": workers.answer(request, Ada="person", Oslo="place").to_json()}

    monkeypatch.setattr(llm, "ask", ask)
    monkeypatch.setattr(gpu, "split", lambda request: {"ok": workers.split(request).to_json()})
    project.refresh_from_db()
    return project


def test_sweep_reads_a_share_before_there_is_a_model(reader: Project) -> None:
    for number in range(4):
        factories.make_document(reader, f"Ada saw Oslo {number}.\nHi {number}.")
    assert figures("sweep", "Letters", "--share", "50") == {
        "sentences": 8,
        "share": 50.0,
        "read": 4,
        "found": 4,
        "proposals": 4,
        "ungrounded": 0,
        "unresolved": 0,
        "tau": None,
        "weighed": False,
    }
    assert list(Job.objects.order_by("pk").values_list("kind", flat=True)) == ["split", "sweep"]
    assert reader.documents.to_review().count() == 2
    assert figures("sweep", "Letters")["read"] == 4
    assert figures("sweep", "Letters", "--share", "100")["read"] == 8
    assert figures("sweep", "Letters", "--share", "0")["share"] == 0


def test_sweep_says_so_where_there_is_nothing_to_read(reader: Project) -> None:
    said = told("sweep", "Letters", "--share", "50")
    assert "There are no sentences to read: import some text first." in said


def test_sweep_asks_again_about_what_got_no_answer(
    reader: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.make_document(reader, "Ada saw Oslo.")
    answers = llm.ask

    def silent(request: dict[str, Any]) -> dict[str, Any]:
        return {"ok": answers(request)["ok"] | {"finds": []}}

    monkeypatch.setattr(llm, "ask", silent)
    first = figures("sweep", "Letters", "--share", "100")
    assert (first["read"], first["unresolved"]) == (0, 1)
    monkeypatch.setattr(llm, "ask", answers)
    again = figures("sweep", "Letters")
    assert (again["read"], again["unresolved"]) == (1, 0)


@pytest.mark.parametrize(
    ("provider", "share", "says"),
    [
        ("openai", "101", "a percentage from 0 to 100"),
        ("openai", "nan", "a percentage from 0 to 100"),
        ("recorded", "50", "Only an LLM server can read sentences"),
        ("", "50", "This project asks no LLM"),
    ],
)
def test_sweep_refuses_what_cannot_be_before_it_saves_it(
    reader: Project, provider: str, share: str, says: str
) -> None:
    Project.objects.update(provider=provider, recording="demo")
    with pytest.raises(CommandError, match=says):
        call("sweep", "Letters", "--share", share)
    reader.refresh_from_db()
    assert (reader.sweep_share, Job.objects.count()) == (0, 0)


def test_link_goes_on_to_read_where_the_project_has_a_share(reader: Project) -> None:
    factories.make_version(reader)
    Project.objects.update(sweep_share=100)
    for number, split in enumerate(("dev", "none")):
        status = "gold" if split == "dev" else "tagged"
        document = factories.make_document(
            reader, f"Ada saw Oslo {number}.", status=status, split=split
        )
        factories.make_tagging(document, 0.5)
        factories.make_prediction(document, "Ada", "person", uncertainty=0.7)
    figures("link", "Letters")
    kinds = list(Job.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds[-3:] == ["sweep", "recalibrate", "link"]
    mention = Mention.objects.get(source="sweep")
    assert (mention.surface, mention.needs_person) == ("Oslo", True)
