"""A lesson as HTML: Markdown with tables, no HTML of the author's, no script, links to the web only."""

from functools import lru_cache

from markupsafe import Markup


@lru_cache(maxsize=256)
def as_html(text: str) -> Markup:
    """Markdown as HTML. What looks like HTML in it is shown as it is written."""
    from markdown_it import MarkdownIt

    made = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table")
    made.disable("image")
    html = str(made.render(text))
    html = html.replace("<pre>", '<pre tabindex="0">')
    html = html.replace("<table>", '<div class="scroll" tabindex="0"><table>').replace("</table>", "</table></div>")
    return Markup(html)  # markdown-it escaped whatever the author wrote


def without_heading(text: str) -> str:
    """A lesson without its first heading, which is the page's."""
    return text.partition("\n")[2]
