"""The database. Import models from here."""

from .asking import LLMCall, Question
from .corrections import AppendOnlyError, Correction
from .documents import Document, Import, Mention
from .jobs import Chunk, Job, WorkerBeat
from .machine import ModelVersion, Prediction, Tagging, Threshold
from .pace import Pace
from .people import SignInLink, User
from .projects import Label, Membership, Project
from .prompts import Prompt, Trial
from .reviewing import Comment, Lease
from .spending import MICROS, Price, Spending, money
from .sweeping import SweptSentence

__all__ = [
    "MICROS",
    "AppendOnlyError",
    "Chunk",
    "Comment",
    "Correction",
    "Document",
    "Import",
    "Job",
    "LLMCall",
    "Label",
    "Lease",
    "Membership",
    "Mention",
    "ModelVersion",
    "Pace",
    "Prediction",
    "Price",
    "Project",
    "Prompt",
    "Question",
    "SignInLink",
    "Spending",
    "SweptSentence",
    "Tagging",
    "Threshold",
    "Trial",
    "User",
    "WorkerBeat",
    "money",
]
