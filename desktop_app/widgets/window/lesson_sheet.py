"""The printable sheet of a lesson: its questions, room for the answers, and the images that were shown."""

from collections.abc import Mapping
from html import escape
from pathlib import Path

import numpy as np
from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QMarginsF, Qt, QUrl
from PySide6.QtGui import QImage, QPageLayout, QPageSize, QPdfWriter, QTextDocument

from desktop_app.lesson_file import Lesson, Question
from desktop_app.theme.tokens import ui_font
from desktop_app.widgets.images.qimage import to_qimage
from ml.events import Pixels
from ml.system.files import atomic

DPI, MARGIN_MM = 96, 18  # of the layout
WIDEST, HIGHEST = 560, 330  # of an image, in pixels of the layout
WRITING_LINES = 4
STYLE = "body { color: #000000; } p { margin: 3px 0; } .note { color: #555555; }"
HEADING = '<p style="margin: {above}px 0 4px 0"><span style="font-size: {size}px; font-weight: 700">{text}</span></p>'
LINE = '<p style="margin: 12px 0 0 0"><span style="color: #999999">' + "_" * 78 + "</span></p>"
NAME_LINE = f"Name {'_' * 34} &nbsp; Date {'_' * 18}"


def write_sheet(
    path: Path, lesson: Lesson, replies: Mapping[int, str], pictures: Mapping[int, Mapping[bool, Pixels]]
) -> None:
    """Write the sheet of a lesson as a PDF on A4; raises CannotWrite."""
    document = sheet(lesson, replies, pictures)
    with atomic(path) as temporary:
        temporary.write_bytes(_pdf(document, lesson.title))


def sheet(lesson: Lesson, replies: Mapping[int, str], pictures: Mapping[int, Mapping[bool, Pixels]]) -> QTextDocument:
    """The sheet of a lesson, with the replies so far and the pictures by step, before and after its answer."""
    document = QTextDocument()
    document.setDefaultFont(ui_font())
    document.setDefaultStyleSheet(STYLE)
    parts = [HEADING.format(above=0, size=19, text=escape(lesson.title)), f"<p class='note'>{NAME_LINE}</p>"]
    for number, question in enumerate(lesson.steps):
        parts.append(HEADING.format(above=18, size=14, text=f"{number + 1}." if len(lesson.steps) > 1 else ""))
        parts.append(f"<p>{_lines(question.question)}</p>")
        shown = pictures.get(number, {})
        before, after = shown.get(False), shown.get(True)
        if before is not None:
            parts.append(_picture(document, f"before:{number}", before))
        parts.append(_reply(question, replies.get(number)))
        if after is not None and (before is None or not np.array_equal(before, after)):
            parts.append(_picture(document, f"after:{number}", after))
    document.setHtml("".join(parts))
    return document


def _picture(document: QTextDocument, name: str, pixels: Pixels) -> str:
    image = _fitting(to_qimage(pixels))
    document.addResource(QTextDocument.ResourceType.ImageResource, QUrl(name), image)
    return f"<p><img src='{name}' width='{image.width() // 2}' height='{image.height() // 2}'></p>"


def _reply(question: Question, reply: str | None) -> str:
    """The reply and the answer as HTML, or else room for a reply."""
    parts = [f"<p>{'☒' if choice == reply else '☐'} {escape(choice)}</p>" for choice in question.choices]
    if reply is None:
        parts += [] if question.choices else [LINE] * (1 if question.between else WRITING_LINES)
    elif not question.choices and reply:
        parts.append(f"<p><b>Your answer:</b> {_lines(reply)}</p>")
    if reply is not None and question.answer:
        parts.append(f"<p class='note'><b>Answer:</b> {_lines(question.answer)}</p>")
    return "".join(parts)


def _lines(text: str) -> str:
    return escape(text).replace("\n", "<br>")


def _fitting(image: QImage) -> QImage:
    """An image at twice the size that it has in the layout, enlarged by whole numbers or reduced to fit."""
    enlarged = min(2 * WIDEST // image.width(), 2 * HIGHEST // image.height())
    if enlarged >= 1:
        return image.scaled(image.width() * enlarged, image.height() * enlarged)
    return image.scaled(
        2 * WIDEST, 2 * HIGHEST, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    )


def _pdf(document: QTextDocument, title: str) -> bytes:
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = QPdfWriter(buffer)
    writer.setTitle(title)
    writer.setCreator("Noiseloom")
    writer.setResolution(DPI)
    writer.setPageLayout(
        QPageLayout(
            QPageSize(QPageSize.PageSizeId.A4),
            QPageLayout.Orientation.Portrait,
            QMarginsF(MARGIN_MM, MARGIN_MM, MARGIN_MM, MARGIN_MM),
            QPageLayout.Unit.Millimeter,
        )
    )
    document.print_(writer)
    buffer.close()
    return bytes(data.data())
