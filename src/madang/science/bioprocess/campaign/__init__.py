"""A campaign: a description in TOML, results in a table beside it, and what to try next.

Nothing else is kept: who has the two files has the campaign, and a spreadsheet is enough to fill in results.
"""

from madang.science.bioprocess.campaign.description import Campaign, read_campaign
from madang.science.bioprocess.campaign.form import Varied, Wanted, written
from madang.science.bioprocess.campaign.next import Next, next_experiments
from madang.science.bioprocess.campaign.results import Added, Done, add_results, read_done

__all__ = [
    "Added",
    "Campaign",
    "Done",
    "Next",
    "Varied",
    "Wanted",
    "add_results",
    "next_experiments",
    "read_campaign",
    "read_done",
    "written",
]
