"""One thing has one name everywhere."""

from desktop_app.text.display_names import model_line, model_title, run_title
from tests.support.fake_app import FakeApp, bundled_cards, own_card


def test_runs_are_named_as_their_preset_or_as_the_person_named_them() -> None:
    assert [run_title(name) for name in ("1-minute", "1-minute-2", "my-cats", "mine")] == [
        "1 minute", "1 minute 2", "my-cats", "mine",
    ]  # fmt: skip


def test_a_model_has_one_name_on_all_pages(app: FakeApp) -> None:
    context = app.context
    context.models = (*bundled_cards(), own_card("1-minute-2", ("a", "b")))
    names = ("text", "shuffle-flow", "1-minute-2", "mine@8", "/tmp/x.safetensors")
    titles = {name: context.model_title(name) for name in names}
    assert list(titles.values()) == ["Words", "ShuffleNet", "1 minute 2", "mine, step 8", "x"]
    assert context.value_title("model", "text") == "Words" and context.value_title("steps", 2) == "2 steps"
    assert context.model_choices(["text"]) == [("text", "Words")]
    card = next(card for card in bundled_cards() if card.name == "text")
    assert model_title(card) == "Words" and model_line(card).endswith(".")
    assert context.model_lines()["text"] == model_line(card)
    session = app.session
    session.compare.change(rows="model", values={"model": "text, shuffle-flow"})
    session.compare.compare()
    assert session.compare.rows and session.compare.value_names(session.compare.rows) == ["Words", "ShuffleNet"]
    assert session.models_of("generate") == ["digits"] and session.models_of("explore") == []
    session.compare.change(mode="race")
    assert session.models_of("compare") == ["digits", "student"] and session.models_of("train") == []
