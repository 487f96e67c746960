"""A worker is killed while it tags; nothing is missing afterwards, and nothing is there twice."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mlworker import inference
from mlworker.schema import Lane, Method, Text
from tests.e2e.conftest import Spanlight
from tests.mlworker.encoder import make_encoder
from tests.ops.processes import wait_until

pytestmark = pytest.mark.slow

DOCUMENTS = 700
KILLS = 2


def test_killed_gpu_workers_cost_no_document(spanlight: Spanlight, tmp_path: Path) -> None:
    spanlight.settings |= {
        "SPANLIGHT_ENCODER": str(make_encoder(tmp_path / "encoder")),
        "CHUNK_DOCUMENTS": "10",
        # Shorter, and where cores are slow a training would be taken for dead and done again.
        "CHUNK_LEASE_SECONDS": "12",
    }
    spanlight.manage("migrate")
    spanlight.manage("first_start")
    texts = tmp_path / "more.txt"
    texts.write_text("".join(f"Ada met Alan Turing in Paris, {n}.\n" for n in range(DOCUMENTS)))
    spanlight.manage("import_corpus", "Demo", str(texts), "--format", "text")

    with spanlight.running():
        wait_until(lambda: spanlight.job_ended("train"), "the training")
        for kill in range(1, KILLS + 1):
            wait_until(lambda seen=kill: tagged(spanlight) >= seen * 150, "some documents", 120)
            victims = spanlight.workers("gpu")
            assert not spanlight.job_ended("tag"), "it was over before it could be killed"
            for pid in victims:
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: spanlight.job_ended("tag"), "the end of tagging")

    failed = spanlight.ask("SELECT sum(failed) FROM annotator_job")
    unread = spanlight.ask(
        "SELECT count(*) FROM annotator_document d WHERE NOT (status = 'gold' AND split = 'train')"
        " AND (SELECT count(*) FROM annotator_tagging t WHERE t.document_id = d.id) <> 1"
    )
    assert (failed, unread) == (0, 0)
    assert stored(spanlight) == recomputed(spanlight)


def tagged(spanlight: Spanlight) -> int:
    return int(spanlight.ask("SELECT count(*) FROM annotator_tagging"))


Span = tuple[int, int, int, str]


def stored(spanlight: Spanlight) -> list[Span]:
    with closing(sqlite3.connect(spanlight.data_dir / "spanlight.sqlite3")) as database:
        return database.execute(
            "SELECT t.document_id, p.start, p.end, l.name FROM annotator_prediction p"
            " JOIN annotator_tagging t ON t.id = p.tagging_id"
            " JOIN annotator_label l ON l.id = p.label_id"
            " WHERE p.lane = 'mention' ORDER BY 1, 2"
        ).fetchall()


def recomputed(spanlight: Spanlight) -> list[Span]:
    """What the same model version says without anybody being killed."""
    path = spanlight.ask("SELECT path FROM annotator_modelversion")
    with closing(sqlite3.connect(spanlight.data_dir / "spanlight.sqlite3")) as database:
        rows = database.execute(
            "SELECT id, text FROM annotator_document"
            " WHERE id IN (SELECT document_id FROM annotator_tagging) ORDER BY id"
        ).fetchall()
    tagged = inference.tag(
        spanlight.data_dir / "storage" / path,
        [Text(*row) for row in rows],
        Method.LEAST_CONFIDENCE,
        0,
    )
    return [
        (text.id, span.start, span.end, span.label)
        for text in tagged
        for span in sorted(text.spans, key=lambda span: span.start)
        if span.lane == Lane.MENTION
    ]
