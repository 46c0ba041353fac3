"""What a citizen reads of a dossier: every status in plain words, what to do next, and nobody's full name."""

from dataclasses import replace

import pytest

from kiosk import questions as q
from kiosk.questions import Settings
from kiosk.visit import Frame
from screens.samples import state

STATUSES = {
    0: ("Đang chuyển giữa các hệ thống", "Being exchanged between systems"),
    1: ("Mới đăng ký, chờ tiếp nhận", "Submitted, waiting to be received"),
    2: ("Đã được tiếp nhận", "Received"),
    3: ("Không được tiếp nhận", "Not accepted"),
    4: ("Đang xử lý", "Being processed"),
    5: ("Cần bổ sung giấy tờ", "More papers are needed"),
    6: ("Chờ nộp phí, lệ phí", "Waiting for payment"),
    7: ("Người dân đã yêu cầu rút hồ sơ", "Withdrawn by the citizen"),
    8: ("Dừng xử lý", "Processing stopped"),
    9: ("Đã xử lý xong, chờ trả kết quả", "Finished, result ready"),
    10: ("Đã trả kết quả", "Result handed over"),
    17: ("Trạng thái chưa xác định (mã 17)", "Undetermined status (code 17)"),
    -1: ("Trạng thái chưa xác định (mã -1)", "Undetermined status (code -1)"),
}
FULL = replace(state(), note="Bản chính giấy chứng sinh", fee="Lệ phí: 15.000 đồng", collect_at="Quầy 3")


def shown(presenter, language: str, status: int):
    return presenter.stand(q.ShowStatus(replace(FULL, status=status)), Frame(Settings(language), False), {})


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("status", STATUSES)
def test_every_status_is_said_in_words_with_what_to_do_next(presenter, status, language):
    screen = shown(presenter, language, status)
    name = STATUSES[status][language == "en"]
    assert name in screen.speakable
    _, said, advice = screen.spoken.split("\n")
    assert said == name
    assert len(advice) > 30
    assert advice in screen.speakable


@pytest.mark.parametrize(("status", "label"), [(3, "Lý do"), (4, "Ghi chú"), (5, "Còn thiếu"), (8, "Lý do")])
def test_the_officers_note_is_called_what_it_is(presenter, status, label):
    texts = shown(presenter, "vi", status).speakable
    assert texts[texts.index(label) + 1] == "Bản chính giấy chứng sinh"


@pytest.mark.parametrize("status", range(11))
def test_the_place_is_named_where_there_is_or_will_be_something_to_collect(presenter, status):
    facts = dict(shown(presenter, "vi", status)._facts())
    assert ("Nơi nhận kết quả" in facts) == (status not in (3, 7, 8, 10))
    assert facts["Phí, lệ phí"] == "Lệ phí: 15.000 đồng"
    assert facts["Hẹn trả kết quả"].endswith("25/11/2026")
    assert facts["Chủ hồ sơ"] == "N••••• T•• M••"
