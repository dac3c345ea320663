"""The glossary: terms in texts are links, every link has its entry, and the help uses no term without one."""

import re

from PySide6.QtCore import QUrl
from PySide6.QtGui import QTextDocument
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from desktop_app.pages.glossary_dialog import GlossaryDialog
from desktop_app.text import glossary
from desktop_app.text.formulas import CONTROLS
from ml.specs import SAMPLERS, SETTINGS

LINK = re.compile(r'<a href="([^"]+)">([^<]+)</a>')


def plain(html: str) -> str:
    document = QTextDocument()
    document.setHtml(html)
    return document.toPlainText()


def test_the_first_mention_of_a_term_is_a_link_and_the_text_stays() -> None:
    text = "Guidance with w > 1 moves samples away; more guidance moves labels. DDIM & x0_hat, a sampler-like thing"
    html = glossary.linked(text)
    assert plain(html) == text
    assert LINK.findall(html) == [
        ("glossary:guidance", "Guidance"),
        ("glossary:label", "labels"),
        ("glossary:DDIM", "DDIM"),
        ("glossary:x0_hat", "x0_hat"),
    ]
    assert [entry.key for entry in glossary.terms(text)] == ["guidance", "label", "DDIM", "x0_hat"]
    assert glossary.linked("<b>t</b>") == "&lt;b&gt;t&lt;/b&gt;"


def test_every_entry_is_read_and_no_link_is_dead() -> None:
    entries = glossary.entries()
    keys = [entry.key for entry in entries]
    names = [name for entry in entries for name in entry.names]
    assert len(entries) > 80 and len(set(names)) == len(names)
    links = [link for entry in entries for link in re.findall(r'href="([^"]+)"', glossary.meaning(entry))]
    assert len(links) > 80 and {link.removeprefix(glossary.SCHEME) for link in links} <= set(keys)
    assert all(f'"{glossary.SCHEME}{entry.key}"' not in glossary.meaning(entry) for entry in entries)
    referred = {name for entry in entries for name in re.findall(r"see \*([^*]+)\*", entry.meaning)}
    assert referred and referred <= set(names)


def test_what_can_be_chosen_is_in_the_glossary() -> None:
    assert all(glossary.terms(spec.title) for spec in SAMPLERS.values())
    titles = [spec.title for name, spec in SETTINGS.items() if name in CONTROLS.values()]
    assert titles and all(map(glossary.terms, titles)), [text for text in titles if not glossary.terms(text)]


def test_the_dialog_searches_and_follows_links(qtbot: QtBot) -> None:
    owner = QWidget()
    qtbot.addWidget(owner)
    dialog = GlossaryDialog(owner)
    dialog.show()
    shown = dialog.entries.toPlainText()
    assert all(entry.names[0] in shown for entry in glossary.entries())
    dialog.search.setText("CLASSIFIER-FREE")
    assert [entry.key for entry in dialog.shown()] == ["guidance"]
    dialog.search.setText("nothing has this")
    assert "Try another word" in dialog.entries.toPlainText()
    bar = dialog.entries.verticalScrollBar()
    places = set()
    for key in ("eps", "guidance", "null label", "weights"):
        dialog.entries.anchorClicked.emit(QUrl(f"{glossary.SCHEME}{key}"))
        places.add(bar.value())
    assert not dialog.search.text() and len(places) == 4
