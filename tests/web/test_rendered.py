"""Pages are rendered once for as long as nothing that they follow from is another."""

from hypothesis import given
from hypothesis import strategies as st

from madang.web.rendered import Rendered

PARTS = st.lists(st.lists(st.text(max_size=2), min_size=2, max_size=3).map(tuple), min_size=2, max_size=12)


@given(PARTS)
def test_only_equal_parts_share_a_page(asked: list[tuple[str, ...]]) -> None:
    rendered, made = Rendered(), []
    for parts in asked:

        def render(parts: tuple[str, ...] = parts) -> str:
            made.append(parts)
            return repr(parts)

        assert rendered.get(parts, render) == repr(parts).encode("utf-8")
    assert sorted(made) == sorted(set(asked))


def test_what_was_asked_for_long_ago_makes_room() -> None:
    rendered, made = Rendered(), []

    def page(name: str, size: int = 1 << 20) -> None:
        def render() -> str:
            made.append(name)
            return "x" * size

        assert len(rendered.get([name], render)) == size

    for number in range(8):
        page(str(number))
    page("0")  # asked for again, so that 1 is now the oldest
    page("another")
    page("0")
    page("1")
    assert made == [*map(str, range(8)), "another", "1"]
    page("larger than all", 9 << 20)
    page("larger than all", 9 << 20)
    assert made[-2:] == ["larger than all"] * 2
