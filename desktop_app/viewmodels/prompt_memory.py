"""The prompt that goes with another model: the one that was there before, or one that its classes understand."""

from desktop_app.text.subject import Subject
from ml.errors import BadRequest
from ml.text import prompt_parser

FIRST = 10  # classes in the prompt before a person writes one


class PromptMemory:
    """The last prompt about each kind of image."""

    def __init__(self) -> None:
        self._last: dict[Subject, str] = {}

    def exchange(self, prompt: str, before: Subject, after: Subject, example: str = "") -> str:
        """The prompt to go on with where other images are drawn.

        It is the last one about these, else the present one if it names classes of theirs, else `example`, else their
        first classes.
        """
        if before == after or (before.is_digits and after.is_digits):
            return prompt
        self._last[before] = prompt
        if after in self._last:
            return self._last[after]
        named = any(name.casefold() in prompt.casefold() for name in after.classes)
        if named and not example and labels_in(prompt, after):
            return prompt
        return example or first_classes(after, FIRST)


def first_classes(subject: Subject, count: int) -> str:
    """A prompt for the first classes, as many of them as it has room for."""
    prompts = (subject.prompt(range(k)) for k in range(min(len(subject.classes), count), -1, -1))
    return next(prompt for prompt in prompts if len(prompt) <= prompt_parser.MAX_CHARACTERS)


def labels_in(prompt: str, subject: Subject) -> tuple[int, ...]:
    """The labels that a prompt names; none if it cannot be understood."""
    try:
        return prompt_parser.parse_prompt(prompt, subject.classes).labels
    except BadRequest:
        return ()
