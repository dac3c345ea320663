"""What a request can ask of a model, and its sampling grid."""

from ml.config import NO_LABEL, ModelConfig, SampleRequest
from ml.diffusion.schedules import Level, grid_of, schedule_of
from ml.errors import BadRequest
from ml.generation.loaded_model import LoadedModel

BATCH = 100  # images sampled together; bounds memory however many are asked for


def check(request: SampleRequest, config: ModelConfig) -> None:
    """Raises BadRequest for what a model cannot draw: labels it does not have, words it does not read, ..."""
    latent = config.codec is not None
    if latent and (request.source or any(corner.picture for corner in request.corners)):
        raise BadRequest(f"The model {request.model!r} works in a latent.", "Choose one that draws pixels.")
    if request.route == "text" and config.reader is None:
        raise BadRequest(f"The model {request.model!r} does not read words.", "Choose one that does, or another route.")
    asked = (*request.labels, *(corner.label for corner in request.corners))
    wrong = [label for label in asked if label != NO_LABEL and not 0 <= label < config.num_classes]
    if wrong:
        knows = f"0 to {config.num_classes - 1}" if config.num_classes else "no labels"
        raise BadRequest(
            f"The model {request.model!r} knows {knows}, not {wrong[0]}.", "Ask for one of those, or for no label."
        )
    if request.parent:
        if request.parent.model != request.model:
            raise BadRequest("A branch is drawn by the model that drew its beginning.", "Keep the model.")
        check(request.parent, config)


def grid_for(model: LoadedModel, request: SampleRequest) -> list[Level]:
    """The sampling grid: for variations of a drawing the part below `vary_from` (SDEdit, Meng et al. 2022).

    A branch has its parent's up to where it branches off, and below that its own.
    """
    grid = grid_of(schedule_of(model.config), request)
    if request.parent:
        before = grid_for(model, request.parent)
        if not request.branch_at < len(before) - 1:
            raise BadRequest(
                f"There is no step {request.branch_at} to branch off from.", f"Choose one from 0 to {len(before) - 2}."
            )
        trunk = before[: request.branch_at + 1]
        return [*trunk, *(level for level in grid if level.ratio < trunk[-1].ratio)]
    ratio = request.vary_from if request.source else 0
    kept = [level for level in grid if not ratio or level.ratio <= ratio]
    if len(kept) < 2:
        raise BadRequest(f"No step lies below the noise level {ratio:g}.", "Take more steps, or go back further.")
    return kept
