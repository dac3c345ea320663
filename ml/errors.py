"""Errors a person can act on: what happened, and what to do next."""


class NoiseloomError(Exception):
    """Base of every expected failure. `what_to_do` is one sentence with the next step."""

    kind = "error"

    def __init__(self, message: str, what_to_do: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.what_to_do = what_to_do

    def __str__(self) -> str:
        return f"{self.message} {self.what_to_do}".strip()


class BadRequest(NoiseloomError):
    """A setting, prompt or option that cannot be carried out."""

    kind = "request"


class ChangedData(BadRequest):
    """A folder of images that has changed since the run began that is to be resumed."""

    kind = "changed-data"


class BadFile(NoiseloomError):
    """A file that is missing, truncated, of another shape, or not what its name says."""

    kind = "file"


class DataUnavailable(NoiseloomError):
    """A data set that is neither on disk nor downloadable."""

    kind = "data"


class CannotWrite(NoiseloomError):
    """A full, read-only or missing place to write to."""

    kind = "write"


class NoDevice(NoiseloomError):
    """A requested compute device is missing."""

    kind = "device"


class Diverged(NoiseloomError):
    """A loss that became NaN or infinite, or left all bounds."""

    kind = "diverged"


class LostProcess(NoiseloomError):
    """Another one of several processes that work together, which has gone."""

    kind = "process"


class FailedElsewhere(NoiseloomError):
    """What failed in another one of several processes that work together."""

    kind = "process"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error is due to too little memory; torch has no common class for it on all devices."""
    message = str(error).lower()
    said = ("out of memory", "can't allocate memory", "status_alloc_failed")  # the last by cuBLAS and cuDNN
    return isinstance(error, MemoryError) or any(text in message for text in said)
