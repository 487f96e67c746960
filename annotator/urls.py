"""The pages' routes."""

from __future__ import annotations

from django.urls import path

from annotator.views import (
    documents,
    exports,
    health,
    ledger,
    machine,
    people,
    prices,
    projects,
    prompts,
    reading,
    review,
    uploads,
)

app_name = "annotator"
urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("sign-in/", people.sign_in, name="sign_in"),
    path("sign-in/<str:token>/", people.sign_in_link, name="sign_in_link"),
    path("sign-out/", people.sign_out, name="sign_out"),
    path("account/", people.account, name="account"),
    path("", projects.projects, name="projects"),
    path("prices/", prices.prices, name="prices"),
    path("prices/<int:pk>/remove/", prices.remove_price, name="remove_price"),
    path("projects/new/", projects.new_project, name="new_project"),
    path("projects/<slug:slug>/", projects.project, name="project"),
    path("projects/<slug:slug>/llm/", projects.choose_llm, name="choose_llm"),
    path("projects/<slug:slug>/reading/", reading.choose_reading, name="choose_reading"),
    path("projects/<slug:slug>/reading/outlook/", reading.reading_outlook, name="reading_outlook"),
    path("projects/<slug:slug>/prompt/", prompts.prompt, name="prompt"),
    path("projects/<slug:slug>/prompt/use/", prompts.use_prompt, name="use_prompt"),
    path("projects/<slug:slug>/prompt/try/", prompts.try_prompt, name="try_prompt"),
    path("projects/<slug:slug>/prompt/discard/", prompts.discard_trial, name="discard_trial"),
    path("projects/<slug:slug>/ledger/", ledger.ledger, name="ledger"),
    path("projects/<slug:slug>/ledger/<int:pk>/", ledger.call, name="call"),
    path("projects/<slug:slug>/labels/<int:pk>/ask/", ledger.ask_about, name="ask_about"),
    path("projects/<slug:slug>/upload/", uploads.upload, name="upload"),
    path("projects/<slug:slug>/documents/", documents.documents, name="documents"),
    path("projects/<slug:slug>/review/", review.review_next, name="review_next"),
    path("projects/<slug:slug>/documents/<int:pk>/", review.review, name="review"),
    path("projects/<slug:slug>/documents/<int:pk>/decide/", review.decide, name="decide"),
    path("projects/<slug:slug>/documents/<int:pk>/submit/", review.submit, name="submit"),
    path("projects/<slug:slug>/model/", machine.model, name="model"),
    path("projects/<slug:slug>/model/learning/", machine.choose_learning, name="choose_learning"),
    path("projects/<slug:slug>/model/start/", machine.start, name="start"),
    path("projects/<slug:slug>/jobs/<int:pk>/cancel/", machine.cancel, name="cancel"),
    path("projects/<slug:slug>/jobs/<int:pk>/pause/", machine.pause, name="pause"),
    path("projects/<slug:slug>/jobs/<int:pk>/resume/", machine.resume, name="resume"),
    path("projects/<slug:slug>/export/", exports.exports, name="exports"),
    path("projects/<slug:slug>/export/<slug:name>/", exports.download, name="download"),
]
