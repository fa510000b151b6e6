"""What is in a common data model: people, time, records, concepts, values. Counts only, and none about too few people.

docs/profile.md says by which rule counts are kept back.
"""

from madang.science.quality.profile.ask import profile
from madang.science.quality.profile.contents import Content, contents
from madang.science.quality.profile.contents import document as contents_document
from madang.science.quality.profile.model import Profile, document
from madang.science.quality.profile.report import page

__all__ = ["Content", "Profile", "contents", "contents_document", "document", "page", "profile"]
