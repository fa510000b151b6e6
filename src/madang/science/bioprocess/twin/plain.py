"""The slow twin: one batch at a time by SciPy's LSODA, begun anew at every change of the controls."""

import numpy as np

from madang.science.bioprocess.needs import needs
from madang.science.bioprocess.twin.kinetics import STATES, prepare, rates
from madang.science.bioprocess.twin.solve import Array, Batches


def solve_plainly(batches: Batches, times: Array, tolerance: float = 1e-9) -> Array:
    """States of all batches at `times`: (n, times, 10). Obviously right, and slow."""
    integrate = needs("scipy.integrate")
    out = np.empty((len(batches.parameters), len(times), len(STATES)))
    for batch, parameters in enumerate(batches.parameters):
        edges = [*batches.edges[batch][:-1], max(times[-1], batches.edges[batch][-1]) + 1e-9]
        state = batches.start[batch]
        for segment, controls in enumerate(batches.controls[batch]):
            begin, end = edges[segment], edges[segment + 1]
            if end - begin < 1e-9:
                continue
            inside = (times >= begin) & (times < end)
            wanted = np.unique(np.concatenate([[begin], times[inside], [end]]))

            prepared = np.zeros(4)
            prepare(batches.kinetics.kind, controls, parameters, prepared)

            def derivative(
                _time: float, y: Array, u: Array = controls, p: Array = parameters, w: Array = prepared
            ) -> Array:
                filled = np.empty(len(STATES))
                rates(batches.kinetics.kind, y, u, p, w, filled)
                return filled

            answer = integrate.solve_ivp(
                derivative, (begin, end), state, "LSODA", t_eval=wanted, rtol=tolerance, atol=tolerance
            )
            for place in np.flatnonzero(inside):
                out[batch, place] = answer.y[:, np.searchsorted(wanted, times[place])]
            state = answer.y[:, -1]
    return out
