"""Learning-rate schedules as pure functions of the step."""


def slanted_triangular(step: int, n_steps: int, *, cut_frac: float = 0.1, ratio: float = 32.0) -> float:
    """Factor on the peak learning rate: a short linear rise, then a long linear fall.

    Parameters
    ----------
    step : int
        Update about to be made, 0 to `n_steps - 1`.
    n_steps : int
        Number of updates of the whole schedule.
    cut_frac : float, default=0.1
        Share of the updates in which the rate rises. The peak falls on a whole step, at the latest the last one, and
        a schedule too short to rise starts at its peak.
    ratio : float, default=32.0
        How much smaller the lowest rate is than the peak.

    Returns
    -------
    float
        Between `1 / ratio` and 1.

    References
    ----------
    Howard & Ruder 2018, section 3.2, equation 3.

    Examples
    --------
    >>> [round(slanted_triangular(step, 10, cut_frac=0.2), 3) for step in range(10)]
    [0.031, 0.516, 1.0, 0.879, 0.758, 0.637, 0.516, 0.395, 0.273, 0.152]
    """
    cut = min(int(n_steps * cut_frac), n_steps - 1)
    if step < cut:
        share = step / cut
    elif cut == 0:
        share = 1 - step / n_steps
    else:
        share = 1 - (step - cut) / (cut * (1 / cut_frac - 1))
    return (1 + max(share, 0.0) * (ratio - 1)) / ratio
