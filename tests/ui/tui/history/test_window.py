"""The part of a history that is in memory, against a plain list."""

from hypothesis import given, settings
from hypothesis import strategies as st

from secure_chat.ui.tui.history.window import MAX_LINES, PAGE, Window
from tests.ui.tui.lines import line


@given(st.lists(st.sampled_from(["older", "newer", "live", "jump"]), max_size=40), st.integers(0, 2_000))
@settings(max_examples=60, deadline=None)
def test_it_is_always_a_gapless_part_of_the_history(steps: list[str], begin: int) -> None:
    """Whatever is paged in and out, what is held is contiguous, bounded, and right about its ends."""
    everything = [line(number) for number in range(1, 2_001)]
    window = Window()
    window.load(everything[begin : begin + PAGE], at_start=begin == 0, at_end=begin + PAGE >= len(everything))
    for step in steps:
        positions = [each.position for each in window.lines]
        if step == "older" and positions:
            page = everything[max(0, positions[0] - 1 - PAGE) : positions[0] - 1]
            window.put_older(page, at_start=len(page) < PAGE)
        elif step == "newer" and positions:
            page = everything[positions[-1] : positions[-1] + PAGE]
            window.put_newer(page, at_end=len(page) < PAGE)
        elif step == "live":
            everything.append(line(len(everything) + 1))
            assert window.add(everything[-1]) == (window.at_end or not window.lines)
            window.trim()
        elif step == "jump":
            window.load(everything[500:600], at_start=False, at_end=False)
        held = [each.position for each in window.lines]
        if held:
            assert held == list(range(held[0], held[-1] + 1))
            assert not window.at_start or held[0] == 1
            if window.at_end:
                assert held[-1] == len(everything)
            assert all(window.find(each.id) == index for index, each in enumerate(window.lines))
        assert len(held) <= MAX_LINES + PAGE


def test_a_line_comes_once() -> None:
    """A live line that a page had already brought is not added again; changes replace it where it stands."""
    window = Window()
    assert window.add(line(1))
    assert not window.add(line(1))
    assert window.change(line(1, "other")) == 0
    assert window.lines[0].text == "other"
    assert window.change(line(9)) is None
    assert window.at(line(1).id) == line(1, "other")
    assert window.at("ff" * 16) is None


def test_late_lines_find_their_place() -> None:
    """A position between others is put between them, and a line whose position changes moves."""
    window = Window()
    window.load([line(1), line(5)], at_start=True, at_end=True)
    assert window.add(line(3))
    assert [each.position for each in window.lines] == [1, 3, 5]
    window.at_start = False
    assert not window.add(line(0))
