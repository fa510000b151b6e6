"""Whether a value has all that a pattern of a profile has (`pattern[x]`, discriminators of slices)."""

from collections.abc import Callable
from typing import Any


def matches(value: Any, wanted: Any) -> bool:
    """Whether a value has everything that a pattern has."""
    return pattern_test(wanted)(value)


def pattern_test(wanted: Any) -> Callable[[Any], bool]:
    """The test of a pattern, made once: objects have at least these members, arrays an item for each of these."""
    if type(wanted) is dict:
        parts = [(key, pattern_test(part)) for key, part in wanted.items()]

        def of_object(value: Any) -> bool:
            if type(value) is not dict:
                return False
            for key, test in parts:  # noqa: SIM110, a loop is faster than all() here, and this runs for every coding
                if key not in value or not test(value[key]):
                    return False
            return True

        return of_object
    if type(wanted) is list:
        tests = [pattern_test(part) for part in wanted]

        def of_list(value: Any) -> bool:
            if type(value) is not list:
                return False
            for test in tests:
                for each in value:
                    if test(each):
                        break
                else:
                    return False
            return True

        return of_list
    kind = type(wanted)
    if kind is str:
        return lambda value: bool(value == wanted)
    return lambda value: bool(value == wanted) and (type(value) is bool) == (kind is bool)
