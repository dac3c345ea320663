"""Training as a generator of events: the same loop for diffusion models and for the judge.

A run's folder holds `config.json`, `checkpoint.safetensors` (to resume exactly), `model.safetensors` (averaged weights,
to sample from), `snapshots/` of the model at doubling steps, `previews/`, tables (`loss.csv`, ...) and TensorBoard's
files. Closing the generator, or cancelling, saves before it ends.

Several processes each run this loop (SPMD). They agree before every step whether one of them is to stop or rank 0 has
found that the run diverged. All read the data; rank 0 alone reads and writes the run's folder and draws previews.
"""

import math
import os
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

from ml.cancellation import Cancelled
from ml.config import TrainConfig
from ml.control import RunControl
from ml.distributed import collectives
from ml.distributed.collectives import Outcome
from ml.errors import BadFile, BadRequest, CannotWrite, Diverged, FailedElsewhere, LostProcess
from ml.evaluation.metrics import scores_of
from ml.events import (
    BatchSplit,
    CheckpointSaved,
    Paused,
    Resumed,
    RunFinished,
    RunStarted,
    SteppedBack,
    TrainEvent,
    WriteFailed,
)
from ml.registry.checkpoint import StateHeader, load_state_header
from ml.registry.presets import read_config
from ml.registry.run_layout import CONFIG_FILE, MODEL_FILE, STATE_FILE
from ml.specs import DeviceName, TrackerName
from ml.system.device import choose_device
from ml.system.files import write_error
from ml.tracking import preview_history
from ml.tracking.loggers import LoggerList
from ml.tracking.score_curve import SEED, is_scored, keep_scores, score_of
from ml.training import scoring
from ml.training.base_models import with_base_models
from ml.training.config_from_data import fit_to_data
from ml.training.copies import with_copies
from ml.training.data_record import as_recorded, record_of, with_classes
from ml.training.datasets import held_out_set, training_set, until_cancelled
from ml.training.distributed_training import check, config_of_main, of_main
from ml.training.initial_weights import fit_to_base, with_base_classes
from ml.training.rehearsal import with_rehearsal
from ml.training.run import Run
from ml.training.scoring import reference_for_run

REPORT_EVERY_S = 0.1
PREVIEW_PATIENCE = 10  # times the duration of a preview, before the next one
MOST_RETURNS = 3  # of a diverged run to its last checkpoint
HELD_OUT_PATIENCE = 50  # times the duration of a validation, before the next one


def train(
    config: TrainConfig,
    run_dir: Path,
    *,
    device: DeviceName = "auto",
    data_root: Path | None = None,
    resume: bool = False,
    more: bool = False,
    move_to: Path | None = None,
    changed_data: bool = False,
    control: RunControl | None = None,
    track: Sequence[TrackerName] = (),
) -> Iterator[TrainEvent]:
    """Train until the budget is used up or `control` cancels; everything is saved either way.

    A resumed run continues in the folder `move_to`, if given; its old folder stays unchanged. With `more`, its budget
    starts again where it had ended, and so does the schedule of its learning rate.
    It refuses a folder of images that has changed since it began, unless `changed_data` is set.
    What `config` leaves unset of the image's size, channels and classes follows from the data.
    While paused, every call yields `Paused`; the caller chooses how long to wait in between.
    If cancelled before all data are read, it ends without `RunFinished`.
    Raises BadRequest, BadFile, DataUnavailable, CannotWrite, NoDevice, Diverged; FailedElsewhere and LostProcess, where
    there are several processes.
    """
    control = control or RunControl()
    requested = config
    if resume:
        config = config_of_main(lambda: _recorded(run_dir, requested))
    else:
        if collectives.is_main():
            _refuse_another(run_dir)
        config = fit_to_base(config)
    check(config)
    with collectives.main_first():
        dataset = yield from training_set(config, data_root, control)
    if _stop_requested(control) or dataset is None:
        return
    own_images = dataset
    if resume:
        state = of_main(StateHeader, lambda: load_state_header(run_dir / STATE_FILE))
        dataset = as_recorded(dataset, state.data, config.model.num_classes, changed_data)
    config, dataset = with_base_classes(config, dataset)
    record = record_of(dataset)
    dataset = yield from with_copies(dataset, config.images_per_class, config.seed)
    dataset = yield from with_rehearsal(config, dataset, device, control)
    if _stop_requested(control):
        return
    config = fit_to_data(config, dataset, device)
    config, weights = (config, {}) if resume else with_base_models(config)
    held_out = (yield from held_out_set(config, data_root, control)) if collectives.is_main() else None
    if _stop_requested(control):
        return
    held_out = with_classes(held_out, dataset.classes) if held_out else None
    reference = None
    if config.score:
        reference = yield from until_cancelled(reference_for_run(config, own_images, data_root, device), control)
        if _stop_requested(control):
            return
    run = Run(config, run_dir, choose_device(device), dataset, weights, held_out, record, reference)
    if collectives.is_main() and not move_to:
        run.run_folder.lock()
    try:
        yield from _train(run, control, resume, more, move_to, track)
    finally:
        run.run_folder.unlock()


def _train(
    run: Run, control: RunControl, resume: bool, more: bool, move_to: Path | None, track: Sequence[TrackerName]
) -> Generator[TrainEvent]:
    """Train in the locked folder of a run, or in the new folder `move_to`."""
    if not collectives.is_main():
        run.share()
        yield from _loop(run, control)
        return
    if resume:
        run.restore()
        if more:
            run.train_longer()
    else:
        _refuse_another(run.folder)
    if move_to:
        run.run_folder.move_to(move_to)
    run.run_folder.remove_after(run.step)
    run.share()
    with LoggerList(run.folder, run.config, run.step, track) as loggers, closing(_loop(run, control)) as events:
        yield RunStarted(run.config, run.folder, run.device.reason, run.parameters, run.step, run.total_steps)
        for event in events:
            loggers.log(event)
            yield event


def _stop_requested(control: RunControl) -> bool:
    """Whether any process is to stop, which all of them then do. Raises Diverged where rank 0 has found that."""
    outcome = collectives.agree(Outcome.STOP if control.cancelled else Outcome.FINE)
    if outcome is Outcome.DIVERGED:
        raise Diverged("Rank 0 found that the run diverged.")
    if outcome is Outcome.STOP:
        control.cancel()
    return outcome is Outcome.STOP  # not `control.cancelled`, which the others learn at the next step


def _refuse_another(run_dir: Path) -> None:
    if os.path.exists(run_dir / STATE_FILE):  # False for any path; pathlib raises for one that is too long
        raise BadRequest(f"{run_dir} already holds a run.", "Resume it (--resume), or choose another folder.")


def _recorded(run_dir: Path, requested: TrainConfig) -> TrainConfig:
    """The configuration that the run was started with, with the requested budget, and scored if requested."""
    if not all(os.path.isfile(run_dir / name) for name in (CONFIG_FILE, STATE_FILE)):
        raise BadFile(
            f"{run_dir} holds no run to resume.", "Start one there without --resume, or choose another folder."
        )
    recorded = read_config(run_dir / CONFIG_FILE)
    budget = {"steps": requested.steps, "epochs": requested.epochs, "minutes": requested.minutes}
    return recorded.with_changes(**budget, score=requested.score)


def _loop(run: Run, control: RunControl) -> Generator[TrainEvent]:
    """Train to the end of the run, through divergences and failed writes."""
    try:
        yield from _writing(run, control, run.begin)
        while True:
            try:
                yield from _steps(run, control)
                break
            except Diverged as error:
                if collectives.is_main():
                    collectives.agree(Outcome.DIVERGED)
                yield from _step_back(run, control, error)
    except (Diverged, CannotWrite, KeyboardInterrupt):
        raise  # the weights are not finite, cannot be written, or are those of an incomplete step
    except BaseException as error:
        if collectives.is_main() and not run.write_blocked:
            run.save()
        if isinstance(error, LostProcess | FailedElsewhere):
            kept = f"The checkpoint of step {run.saved_step} in {run.folder} is whole"
            advice = f"{kept}: resume with --resume, in any number of processes."
            raise type(error)(error.message, advice) from error
        raise
    if collectives.is_main() and run.is_diffusion and not control.cancelled:
        with suppress(Cancelled):
            yield from _preview(run, control)
            if run.reference is not None and not is_scored(run.folder, run.step):
                yield from _score(run, control)
    yield CheckpointSaved(run.step, run.folder)
    yield RunFinished(run.step, run.elapsed_s, run.folder / MODEL_FILE, run.progress >= 1)


def _steps(run: Run, control: RunControl) -> Generator[TrainEvent]:
    """The remaining steps, then a report and a checkpoint; raises Diverged, CannotWrite."""
    with suppress(Cancelled):  # in the middle of a step or a preview, which is then undone
        yield from _steps_to_the_end(run, control)
    if run.has_unreported_steps:
        yield run.report()
    run.stopped = control.ended
    yield from _writing(run, control, run.save)
    _stop_requested(control)  # raises where rank 0 has found that the run diverged


def _steps_to_the_end(run: Run, control: RunControl) -> Generator[TrainEvent]:
    """The remaining steps, with the reports, checkpoints, previews and validations between them."""
    clock = time.perf_counter
    last_report, last_save, next_preview, next_look = -math.inf, clock(), -math.inf, -math.inf
    while not _stop_requested(control):
        run.synchronize_time()
        if run.progress >= 1:
            break
        if control.paused:
            yield from _pause(run, control)
            continue
        parts = run.parts
        run.train_step()
        if not collectives.is_main():
            continue
        if run.parts != parts:
            yield BatchSplit(run.step, run.parts)
        if run.snapshot_due:
            yield from _score(run, control)
        if run.elapsed_s - last_report >= REPORT_EVERY_S or run.progress >= 1:
            last_report = run.elapsed_s
            yield run.report()
            yield from _writing(run, control, run.run_folder.write)
        command = control.take()
        if command == "save" or clock() - last_save >= run.config.save_every_s:
            last_save = clock()
            yield from _writing(run, control, run.save)
            yield CheckpointSaved(run.step, run.folder)
        if run.can_validate and run.elapsed_s >= next_look:
            began = clock()
            validated = run.validate()
            next_look = run.elapsed_s + max(run.config.preview_every_s, HELD_OUT_PATIENCE * (clock() - began))
            yield validated
        if run.is_diffusion and (command == "preview" or run.elapsed_s >= next_preview):
            began = clock()
            yield from _preview(run, control)
            next_preview = run.elapsed_s + max(run.config.preview_every_s, PREVIEW_PATIENCE * (clock() - began))


def _pause(run: Run, control: RunControl) -> Generator[TrainEvent]:
    """Report and save, then wait until `control` resumes or cancels."""
    if run.has_unreported_steps:
        yield run.report()
    yield from _writing(run, control, run.save)
    yield CheckpointSaved(run.step, run.folder)
    while control.paused:
        yield Paused(run.step)
    if not control.cancelled:
        yield Resumed(run.step, run.folder)


def _preview(run: Run, control: RunControl) -> Generator[TrainEvent]:
    preview = run.preview()
    yield preview
    yield from _writing(run, control, lambda: preview_history.save_preview(run.folder, preview))


def _score(run: Run, control: RunControl) -> Generator[TrainEvent]:
    """Keep the averaged weights of this step, and score them if the run is scored. It takes no time of the run's."""
    yield from _writing(run, control, run.snapshot)
    if run.reference is None:
        return
    network, where = run.ema.network, run.device.torch_device
    report = yield from scoring.score(network, run.header(), run.reference, where, control)
    if report is not None:
        scores, reason = scores_of(report, SEED), " ".join(report.reasons.values())
        yield from _writing(run, control, lambda: keep_scores(run.folder, run.step, scores, reason))
        yield score_of(run.step, scores, reason)


def _writing(run: Run, control: RunControl, write: Callable[[], None]) -> Generator[TrainEvent]:
    """In rank 0, write to the run's folder with `write`. If that fails, pause until `control` resumes the run.

    It then tries again, in the folder that `control` names if it does. Raises CannotWrite if the run is cancelled.
    """
    if not collectives.is_main():
        return
    folder: Path | None = None
    while True:
        try:
            if folder:
                run.run_folder.move_to(folder)
                run.save()
            write()
            break
        except (BadRequest, CannotWrite, OSError) as error:
            problem = (write_error(f"write in {run.folder}", error) if isinstance(error, OSError) else error).message
            if control.cancelled:
                kept = f"The checkpoint of step {run.saved_step} is whole; what was learnt after it is lost."
                raise CannotWrite(problem, kept) from error
            failed = WriteFailed(run.step, run.saved_step, problem)
        run.write_blocked = True
        control.pause()
        yield failed
        while control.paused:
            yield Paused(run.step)
        folder = control.take_folder() or run.folder
    run.write_blocked = False
    if folder:
        yield Resumed(run.step, run.folder)


def _step_back(run: Run, control: RunControl, error: Diverged) -> Generator[TrainEvent]:
    """Back to the last checkpoint with a lower learning rate; raises Diverged after MOST_RETURNS times."""
    if run.lr_reductions < MOST_RETURNS:
        with suppress(BadFile):  # the checkpoint is missing
            run.step_back()
            yield from _writing(run, control, lambda: run.run_folder.remove_after(run.step))
            yield SteppedBack(run.step, error.message, run.lr, run.lr_reductions)
            return
    times = run.lr_reductions
    tried = f"Going back and slowing down, {times} times, to {run.lr:g}, didn't help. " if times else ""
    saved = f"The checkpoint of step {run.saved_step} in {run.folder} is kept."
    advice = f"Start again with a lower learning rate than {run.lr:g}, or look whether the images are sound."
    raise Diverged(error.message, f"{tried}{advice} {saved}") from error
