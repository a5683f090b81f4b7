"""A first contract for a table that nobody has described yet.

Takes: a sample of a table, as Arrow, and what a person has answered. Gives: the contract as a file
would have it, with a reason for each column, and the questions that only a person can answer.
Never: reads or writes a file, sets a limit that the sample alone gives, or shows a value that may
be a person's.
"""

from fraudline.drafts.draft import MOST_ROWS, Draft, Whole, draft_contract
from fraudline.drafts.roles import Answers, Question
from fraudline.drafts.toml_texts import contract_text, settings_beside, settings_text

__all__ = [
    "MOST_ROWS",
    "Answers",
    "Draft",
    "Question",
    "Whole",
    "contract_text",
    "draft_contract",
    "settings_beside",
    "settings_text",
]
