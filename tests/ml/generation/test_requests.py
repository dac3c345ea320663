"""Requests that say something which would change nothing."""

import pytest

from ml.errors import BadRequest
from ml.generation.requests import check_used
from ml.specs import SAMPLERS, SamplerName


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("field", ["eta", "repeats", "variance"])
def test_a_setting_that_the_sampler_ignores_is_refused(sampler: SamplerName, field: str) -> None:
    if field in SAMPLERS[sampler].uses:
        check_used(field, sampler)
        return
    with pytest.raises(BadRequest, match=f"changes nothing with the sampler {sampler.replace('+', '.')}") as refusal:
        check_used(field, sampler)
    assert sampler not in refusal.value.what_to_do.split()


def test_every_sampler_uses_steps() -> None:
    check_used("steps", "dpm++")
