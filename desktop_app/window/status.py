"""The content of the status bar: device, model, memory, and the running job."""

from collections.abc import Sequence

from PySide6.QtCore import QObject, QTimer

from desktop_app.text.display_names import data_title, run_title
from desktop_app.text.formatting import duration, megabytes
from desktop_app.viewmodels.session import Session
from desktop_app.viewmodels.train import Train
from desktop_app.widgets.window.navigation import StatusBar
from desktop_app.widgets.window.queue_popup import QueuePopup
from desktop_app.worker.compute_thread import Job

RUNNING, TURNS, WAITING = "running", "takes turns", "waiting"
MEMORY_MS = 2000  # from one measurement of the memory in use to the next


class Status(QObject):
    """Keeps a status bar up to date with a session."""

    def __init__(self, session: Session, bar: StatusBar) -> None:
        super().__init__(bar)
        self._session, self._bar = session, bar
        self.popup = QueuePopup(bar)
        self._listed: list[Job] = []  # in the popup
        self._memory = QTimer(self, interval=MEMORY_MS)
        self._memory.timeout.connect(self.show_memory)
        self._memory.start()
        for activity in session.activities:
            activity.busy_changed.connect(self.show_job)
        for signal in (session.context.status_changed, session.train.state_changed):
            signal.connect(self.show_job)
        for signal in (session.generate.stepped, session.train.stepped):
            signal.connect(lambda _step: self.show_job())
        session.context.ready.connect(self._on_ready)
        session.context.queue_changed.connect(self.show_queue)
        bar.queueRequested.connect(self.open_queue)
        self.popup.cancelled.connect(lambda index: session.context.stop(self._listed[index]))
        for page in session.pages.values():
            page.changed.connect(self.show_model)
        session.train.state_changed.connect(self.show_model)
        self.show_job()

    def show_job(self) -> None:
        """Show the running job and its progress."""
        session, bar = self._session, self._bar
        if not session.context.device:
            bar.set_device("Loading PyTorch…", ready=False)
        if session.context.closing:
            bar.set_job("Saving and closing", stoppable=False)
        elif busy := next((activity for activity in session.activities if activity.busy), None):
            bar.set_job(*busy.doing)
        elif session.train.active:
            bar.set_job(*training_status(session.train))
        elif session.context.status:
            bar.set_job(session.context.status, stoppable=False)
        else:
            bar.clear_job()

    def show_queue(self) -> None:
        """Show how many jobs wait, and in the popup which."""
        self._listed = self._session.context.queue
        waiting = 0 if self._session.context.closing else states_of(self._listed).count(WAITING)
        self._bar.set_waiting(waiting)
        if self.popup.isVisible():
            self._fill_popup()

    def open_queue(self) -> None:
        """Open the list of the jobs that run or wait."""
        self._listed = self._session.context.queue
        if self._listed:
            self._fill_popup()
            self.popup.open_above(self._bar.queue)

    def _fill_popup(self) -> None:
        if not self._listed:
            self.popup.hide()
            return
        titles = [job.title for job in self._listed]
        self.popup.show_jobs(list(zip(titles, states_of(self._listed), strict=True)))

    def show_model(self) -> None:
        """Show the models of the page in front; of a single one, how it was trained."""
        context, names = self._session.context, self._session.models_of(self._session.context.page)
        card = context.card(names[0]) if len(names) == 1 else None
        words = [", ".join(map(context.model_title, names))]
        if card and card.header.seconds:
            words.append(f"trained for {duration(card.header.seconds)} on {data_title(card.header.data)}")
        self._bar.set_model(" · ".join(filter(None, words)))

    def show_memory(self) -> None:
        """Show how much memory the process uses."""
        import psutil  # not needed before the window is shown

        self._bar.set_memory(f"{megabytes(psutil.Process().memory_info().rss)} of memory")

    def _on_ready(self) -> None:
        self._bar.set_device(self._session.context.device, help_wanted=not self._session.context.on_gpu)
        self.show_model()


def states_of(jobs: Sequence[Job]) -> list[str]:
    """What each job of the queue does: the first runs, and training beside it in turns."""
    return [TURNS if job.background and index else RUNNING if not index else WAITING for index, job in enumerate(jobs)]


def training_status(train: Train) -> tuple[str, float | None]:
    """The training run in a few words, and its progress from 0 to 1, None while it starts."""
    if train.state == "starting":
        return f"Training: {train.status or 'starting'}", None
    name = f"Training “{run_title(train.name)}”"
    if train.state in ("paused", "pausing"):
        return f"{name} · paused", train.progress
    if train.state == "stopping":
        return f"{name} · saving", train.progress
    left = f" · {duration(train.last.remaining_s)} left" if train.last else ""
    return f"{name}{left}", train.progress
