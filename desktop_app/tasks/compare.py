"""Jobs of the Compare page: comparisons and races."""

from collections.abc import Iterator, Sequence

from ml.config import SampleRequest
from ml.control import RunControl
from ml.events import Sampled
from ml.experiments.axes import Axis


def run_comparison(
    base: SampleRequest, rows: Axis | None, columns: Axis | None, control: RunControl
) -> Iterator[object]:
    """Draw a comparison cell by cell."""
    from ml.experiments.comparison import compare

    yield from compare(base, rows, columns, control=control)


def run_race(requests: Sequence[SampleRequest], control: RunControl) -> Iterator[object]:
    """Sample requests in lockstep, with their models' default settings; each `Sampled` is judged."""
    from ml.experiments.comparison import judge_cell
    from ml.experiments.race import race
    from ml.generation.requests import with_model_defaults

    for lap in race([with_model_defaults(request) for request in requests], control=control):
        yield lap
        if isinstance(lap.event, Sampled):
            yield judge_cell(0, lap.lane, lap.event)
