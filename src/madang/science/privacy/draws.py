"""The kernel of `persons`: whom do so many events of a person single out. Compiled by numba at first use."""

import numpy as np
from numba import njit

MOST_EVENTS = 3


@njit(cache=True)
def _next(state):  # type: ignore[no-untyped-def]  # numba finds the types
    """The next number of a splitmix64 sequence, and its new state."""
    state = state + np.uint64(0x9E3779B97F4A7C15)
    z = state
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state, z ^ (z >> np.uint64(31))


@njit(cache=True)
def _has(holders, begin, end, person):  # type: ignore[no-untyped-def]  # numba finds the types
    low, high = begin, end
    while low < high:
        middle = (low + high) // 2
        if holders[middle] < person:
            low = middle + 1
        else:
            high = middle
    return low < end and holders[low] == person


@njit(cache=True)
def _alone(holders, event_begin, chosen, count):  # type: ignore[no-untyped-def]  # numba finds the types
    """Whether only one person has all the chosen events."""
    least = 0
    for i in range(1, count):
        if (
            event_begin[chosen[i] + 1] - event_begin[chosen[i]]
            < event_begin[chosen[least] + 1] - event_begin[chosen[least]]
        ):
            least = i
    found = 0
    for place in range(event_begin[chosen[least]], event_begin[chosen[least] + 1]):
        fits = True
        for i in range(count):
            if i != least and not _has(holders, event_begin[chosen[i]], event_begin[chosen[i] + 1], holders[place]):
                fits = False
                break
        if fits:
            found += 1
            if found > 1:
                return False
    return found == 1


@njit(cache=True)
def singled_out(holders, event_begin, events, person_begin, known, draws, seed):  # type: ignore[no-untyped-def]  # numba finds the types
    """Per person: how many of the tried choices of `known` events single them out, and how many were tried.

    The number tried is negative where it is all there are. Who has fewer events is known by all that they have.
    """
    persons = len(person_begin) - 1
    hits = np.zeros(persons, dtype=np.int64)
    tried = np.zeros(persons, dtype=np.int64)
    chosen = np.zeros(MOST_EVENTS, dtype=np.int64)
    places = np.zeros(MOST_EVENTS, dtype=np.int64)
    for person in range(persons):
        begin, end = person_begin[person], person_begin[person + 1]
        own = end - begin
        if own == 0:
            continue
        count = min(known, own)
        combinations = 1.0
        for i in range(count):
            combinations = combinations * (own - i) / (i + 1)
        if combinations <= draws:
            for i in range(count):
                places[i] = i
            while True:
                for i in range(count):
                    chosen[i] = events[begin + places[i]]
                tried[person] -= 1
                if _alone(holders, event_begin, chosen, count):
                    hits[person] += 1
                i = count - 1
                while i >= 0 and places[i] == own - count + i:
                    i -= 1
                if i < 0:
                    break
                places[i] += 1
                for j in range(i + 1, count):
                    places[j] = places[j - 1] + 1
            continue
        state = seed * np.uint64(0x9E3779B97F4A7C15) + np.uint64(person) * np.uint64(0xD1B54A32D192ED03)
        for _draw in range(draws):
            i = 0
            while i < count:
                state, number = _next(state)
                place = np.int64(number % np.uint64(own))
                fresh = True
                for j in range(i):
                    if places[j] == place:
                        fresh = False
                if fresh:
                    places[i] = place
                    chosen[i] = events[begin + place]
                    i += 1
            tried[person] += 1
            if _alone(holders, event_begin, chosen, count):
                hits[person] += 1
    return hits, tried
