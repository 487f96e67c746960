"""The bench's linking against a server that knows the right answers, or never does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlworker import corpora, pooling, training
from mlworker.bench import asking, figures, linking, replaying, tables
from mlworker.bench.accuracy import Trained, Variant
from mlworker.bench.linking import Linking
from mlworker.bench.prompts import Cost
from mlworker.llm import pace
from mlworker.llm.prompt import CLOSE, OPEN, built_in
from mlworker.schema import Answer, Calibration, Head, Label, Method, Question, Text
from mlworker.training import Corpus
from tests.llm_server import LLMServer, Received, Reply, completion, error
from tests.mlworker.conftest import sample

Measure = Callable[[list[Text]], Linking]

TEXTS = sample(120)
PAPERS = re.compile(r'"<Context>: (.*?)" Select the entity type of (.+?) in this context', re.S)


def knowing(texts: list[Text], *, right: bool) -> Callable[[Received], Reply]:
    """Answers questions in both prompts, and reads sentences; without `right` it finds nothing."""
    gold = {
        (text.text, text.text[m.start : m.end]): m.label
        for text in texts
        for m in text.mentions
        if right
    }

    def behave(request: Received) -> Reply:
        said = request.body["messages"][-1]["content"]
        if papers := PAPERS.search(said):
            return completion(gold.get((papers[1], papers[2]), "Non-entity"))
        question = json.loads(said)
        if "texts" in question:
            found = [read(text, question) for text in question["texts"]]
            return completion(json.dumps({"found": found}))
        answers = [
            {"id": item["id"], "label": request.code(gold.get(key))}
            for item in question["items"]
            for key in [(plain(item["context"]), item["span"])]
        ]
        return completion(json.dumps({"answers": answers}))

    def read(text: dict[str, str], question: dict[str, dict[str, str]]) -> dict[str, object]:
        codes = {name: code for code, name in question["labels"].items()}
        named = [(w, label) for (context, w), label in gold.items() if context == text["text"]]
        mentions = [{"text": w, "occurrence": 1, "label": codes[label]} for w, label in named]
        return {"id": text["id"], "mentions": mentions}

    return behave


def plain(context: str) -> str:
    return context.replace(OPEN, "").replace(CLOSE, "")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LLMServer]:
    with LLMServer() as server:
        monkeypatch.setenv("LLM_BASE_URL", server.base_url)
        monkeypatch.setenv("LLM_MODEL", "test")
        yield server


@pytest.fixture(scope="module")
def trained(encoder_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("linked") / "model"
    corpus = Corpus(corpora.labels(TEXTS), sample(40), [])
    training.train(corpus, folder, encoder=str(encoder_folder))
    known = {Method.LEAST_CONFIDENCE: Calibration(0.3, [], "")}
    return Trained("tiny", Variant(Head.SOFTMAX), folder, None, known)


@pytest.fixture
def measure(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> Measure:
    monkeypatch.setattr(linking, "HALVINGS", 2)
    monkeypatch.setattr(pooling, "FEWEST_SPANS", 20)
    names = corpora.labels(TEXTS)
    labels = [Label(name) for name in names]
    return lambda texts: linking.measure(trained, Corpus(names, sample(24), texts), labels)


def test_an_llm_that_knows_everything_is_believed(server: LLMServer, measure: Measure) -> None:
    server.always(knowing(TEXTS, right=True))
    found = measure(TEXTS)
    assert found.llm_alone.f1 == 100
    by_share = {fused.share: fused for fused in found.shares}
    assert [*by_share] == [0, 10, 25, 50, 100]
    assert by_share[100].pooled >= by_share[0].pooled >= found.local.f1
    assert by_share[100].pooled == pytest.approx(100, abs=1)
    assert by_share[100].cost is not None
    assert by_share[100].cost.requests == -(-len(TEXTS) // asking.SENTENCES)
    assert found.questions.requests == -(-found.questions.asked // asking.QUESTIONS)
    assert found.paper.requests == found.paper.asked == found.questions.asked
    sent = found.questions.requests + found.paper.requests + by_share[100].cost.requests
    assert len(server.requests) == sent


def test_as_many_share_a_request_as_in_the_product() -> None:
    defaults = (Path(__file__).parents[2] / ".env.example").read_text()
    assert f"#CHUNK_QUESTIONS={asking.QUESTIONS}\n" in defaults
    assert f"#CHUNK_SENTENCES={asking.SENTENCES}\n" in defaults


def test_nothing_is_asked_or_read_by_sight_of_gold(server: LLMServer, measure: Measure) -> None:
    def sent(texts: list[Text]) -> list[str]:
        server.requests.clear()
        measure(texts)
        return sorted(json.dumps(request.body["messages"]) for request in server.requests)

    server.always(knowing(TEXTS, right=False))
    assert sent(TEXTS) == sent([replace(text, mentions=[]) for text in TEXTS])


def test_tables_and_figures_tell_the_same(server: LLMServer, measure: Measure) -> None:
    server.always(knowing(TEXTS, right=True))
    found = measure(TEXTS)
    rows = {figure.id: figure.value for figure in figures.of_linking(found)}
    table = tables.linking(found)
    assert re.search(r"\| LLM alone +\| +100\.00 \|", table)
    pooled = rows["tiny.dev.linking.read_100.pooled.f1"]
    assert re.search(rf"\| linked, 100 % read, pooled +\| +{pooled:.2f} \|", table)
    share = 100 * rows["tiny.dev.linking.tokens.share_of_paper"]
    assert f"{share:.1f}" in tables.prompts(found)


def test_a_request_that_is_refused_is_halved(server: LLMServer, measure: Measure) -> None:
    server.always(knowing(TEXTS, right=True))
    server.then(error(400))
    found = measure(TEXTS)
    assert found.questions.requests == -(-found.questions.asked // asking.QUESTIONS) + 2


def answers_about(texts: list[Text]) -> tuple[dict[asking.Span, Answer], Cost]:
    spans = [(text.id, m.start, m.end) for text in texts for m in text.mentions]
    content = {text.id: text.text for text in texts}
    questions = [Question(n, content[text], i, j) for n, (text, i, j) in enumerate(spans)]
    labels = [Label(name) for name in corpora.labels(TEXTS)]
    return asking.answers_to(spans, questions, labels, built_in())


def test_what_a_server_refuses_by_its_number_is_asked_alone(server: LLMServer) -> None:
    server.always(knowing(TEXTS, right=True))
    server.then(error(400, "no recorded answer for item 2"))
    answers, cost = answers_about(TEXTS[:4])
    said = [json.loads(sent.body["messages"][-1]["content"]) for sent in server.requests]
    assert [len(user["items"]) for user in said] == [len(answers), 1, len(answers) - 1]
    assert cost.requests == 3


def test_what_waits_for_the_server_is_no_request_and_no_try(
    server: LLMServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "TRIES", 1)
    server.always(knowing(TEXTS, right=True))
    pace.hold("openai", 0.2, "HTTP 429")
    answers, cost = answers_about(TEXTS)
    assert len(answers) == sum(len(text.mentions) for text in TEXTS)
    assert cost.requests == len(server.requests)


def test_an_llm_that_cannot_be_asked_ends_the_bench(server: LLMServer, measure: Measure) -> None:
    server.always(error(401))
    with pytest.raises(ValueError, match="LLM_API_KEY"):
        measure(TEXTS)


def test_a_folder_without_a_server_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="did not start"), replaying.replayed(tmp_path):
        pass
