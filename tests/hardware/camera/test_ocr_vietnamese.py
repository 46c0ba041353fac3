"""Tesseract as the kiosk runs it: what it reads, and that it is gone when it is not wanted."""

import asyncio
import os
import signal
import subprocess
import time

import cv2
import numpy as np
import pytest

from hardware.camera.flatten import whiten
from hardware.camera.ocr import text_layer
from hardware.simulators.papers.sheet import Sheet
from processes import children

TEXT = """\
Tôi cam đoan nội dung đề nghị đăng ký khai sinh trên đây là đúng sự thật, được sự thỏa thuận nhất trí của các bên
liên quan theo quy định pháp luật. Tôi chịu hoàn toàn trách nhiệm trước pháp luật về nội dung cam đoan của mình.

Căn cứ Luật Hộ tịch ngày 20 tháng 11 năm 2014; căn cứ Nghị định của Chính phủ quy định chi tiết một số điều và biện
pháp thi hành Luật Hộ tịch; theo đề nghị của Trưởng phòng Tư pháp, Chủ tịch Ủy ban nhân dân phường quyết định cho
phép thay đổi, cải chính hộ tịch đối với những người có tên trong danh sách kèm theo.

Trường hợp sinh tại cơ sở y tế thì ghi rõ tên cơ sở y tế và địa chỉ trụ sở; trường hợp sinh ngoài cơ sở y tế thì ghi
đầy đủ nơi sinh theo đơn vị hành chính. Người yêu cầu nộp giấy chứng sinh, xuất trình thẻ căn cước hoặc hộ chiếu,
giấy tờ chứng minh nơi cư trú, giấy chứng nhận kết hôn của cha mẹ nếu đã đăng ký kết hôn.

Ngõ nhỏ, phố nhỏ, nhà tôi ở đó; kỷ niệm ngày ấy vẫn còn nguyên vẹn như thuở ban đầu. Những bữa cơm chiều, tiếng ru à
ơi của bà, mùi hoa sữa thoảng qua khung cửa sổ, chiếc xe đạp cũ kỹ dựng bên hiên nhà lợp ngói đỏ.
"""
PARAGRAPHS = tuple(" ".join(paragraph.split()) for paragraph in TEXT.split("\n\n"))


def clean_page(paragraphs=PARAGRAPHS, dpi=300):
    """A printed page as the camera gives it, cleaned: grey."""
    sheet, y = Sheet(210, 297), 30.0
    for paragraph in paragraphs:
        y = sheet.paragraph(22, y, 166, paragraph, 12) + 5
    page = np.asarray(sheet.image)[..., ::-1].astype(np.float32)
    page = cv2.resize(page, None, fx=dpi / 300, fy=dpi / 300, interpolation=cv2.INTER_AREA)
    page *= np.linspace(0.95, 0.7, page.shape[1], dtype=np.float32)[None, :, None]
    page += np.random.default_rng(1).normal(0, 3, page.shape)
    flat = cv2.GaussianBlur(np.clip(page, 0, 255).astype(np.uint8), (0, 0), 0.7)
    return cv2.cvtColor(whiten(flat, dpi), cv2.COLOR_BGR2GRAY)


def words_of(pdf):
    return " ".join(
        subprocess.run(["pdftotext", "-", "-"], input=pdf, capture_output=True, check=True).stdout.decode().split()
    )


def distance(one, other):
    """Levenshtein."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        last, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (a != b))
    return row[-1]


@pytest.mark.parametrize("dpi", [300, 200])
async def test_a_clean_vietnamese_page_is_read_to_99_characters_in_100(dpi):
    true = " ".join(PARAGRAPHS)
    read = words_of(await text_layer(clean_page(dpi=dpi), dpi))
    assert distance(read, true) <= 0.01 * len(true), read


async def test_words_lie_where_they_are_printed():
    layer = await text_layer(clean_page(PARAGRAPHS[:1]), 300)
    boxes = subprocess.run(
        ["pdftotext", "-bbox", "-", "-"], input=layer, capture_output=True, check=True
    ).stdout.decode()
    first = next(line for line in boxes.splitlines() if ">Tôi<" in line)
    left, bottom = (float(first.split(f'{name}="')[1].split('"')[0]) / 72 * 25.4 for name in ("xMin", "yMax"))
    assert abs(left - 22) < 1.5
    assert abs(bottom - 30) < 2.5


async def test_dotted_lines_to_write_on_are_not_read_as_letters():
    sheet = Sheet(210, 297)
    labels = ("Họ, chữ đệm, tên:", "Nơi cư trú:", "Ngày sinh:", "Quốc tịch:")
    for line, label in enumerate(labels):
        sheet.text(22, 40 + 12 * line, label, 12)
        sheet.dots(75, 40.6 + 12 * line, 190)
    grey = cv2.GaussianBlur(np.asarray(sheet.image.convert("L")), (0, 0), 0.7)
    read = words_of(await text_layer(grey, 300))
    assert sorted(read.split()) == sorted(" ".join(labels).split())


async def test_a_blank_page_is_a_page_without_words():
    layer = await text_layer(np.full((2339, 1654), 255, np.uint8), 200)
    assert layer is not None
    assert words_of(layer) == ""


async def test_too_slow_means_no_text_and_no_process():
    page = clean_page()
    began = time.monotonic()
    assert await text_layer(page, 300, seconds=0.3) is None
    assert time.monotonic() - began < 10
    assert not children("tesseract")


async def test_cancelled_it_is_gone_at_once():
    task = asyncio.create_task(text_layer(clean_page(), 300))
    while not children("tesseract"):
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    began = time.monotonic()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert time.monotonic() - began < 10
    assert not children("tesseract")


async def test_ended_together_with_the_kiosk_it_complains_of_nothing(caplog):
    task = asyncio.create_task(text_layer(clean_page(), 300))
    while not children("tesseract"):
        await asyncio.sleep(0.01)
    os.kill(next(iter(children("tesseract"))), signal.SIGTERM)
    assert await task is None
    assert not caplog.records


async def test_without_the_program_pages_go_without_text(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    assert await text_layer(np.full((200, 200), 255, np.uint8), 200) is None


async def test_damage_to_the_program_means_no_text_and_not_a_fault(monkeypatch, tmp_path):
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path))  # no language there
    assert await text_layer(np.full((200, 200), 255, np.uint8), 200) is None
