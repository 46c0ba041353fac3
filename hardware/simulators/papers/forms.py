"""The papers of the simulated desk: shaped like Vietnamese civil-status papers, all names and numbers invented."""

from PIL import Image, ImageDraw

from hardware.simulators.papers.sheet import BALLPOINT, Colour, Sheet

RED: Colour = (178, 24, 32)
WARD = "ỦY BAN NHÂN DÂN PHƯỜNG SÔNG MÂY"
PLACE = "Sông Mây"


def _state_heading(sheet: Sheet, y: float = 20) -> None:
    sheet.centred(y, "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", 13, "bold")
    sheet.centred(y + 6.5, "Độc lập – Tự do – Hạnh phúc", 13, "bold")
    sheet.rule(sheet.width / 2 - 31, y + 8.6, sheet.width / 2 + 31, y + 8.6, 0.35)


def _fields(sheet: Sheet, y: float, rows: tuple[tuple[str, str], ...], step: float = 9.4) -> float:
    for label, answer in rows:
        sheet.field(22, y, label, answer, sheet.width - 16)
        y += step
    return y


def _signed(
    sheet: Sheet, x: float, y: float, role: str, name: str, note: str = "(Ký, ghi rõ họ, chữ đệm, tên)"
) -> None:
    sheet.text(x, y, role, 12, "bold", anchor="ms")
    sheet.text(x, y + 5.5, note, 10.5, "italic", anchor="ms")
    sheet.signature(x, y + 18, name)
    sheet.text(x, y + 34, name, 12, "bold", anchor="ms")


def birth_form_1() -> Image.Image:
    """«Tờ khai đăng ký khai sinh», first page."""
    sheet = Sheet(210, 297)
    _state_heading(sheet)
    sheet.centred(41, "TỜ KHAI ĐĂNG KÝ KHAI SINH", 16, "bold")
    sheet.text(38, 52, "Kính gửi:", 12, "bold")
    sheet.hand(60, 52, "Ủy ban nhân dân phường Sông Mây", 13.5)
    y = _fields(
        sheet,
        63,
        (
            ("Họ, chữ đệm, tên người yêu cầu:", "Nguyễn Thị Mẫu"),
            ("Nơi cư trú:", "Số 12 đường Thử Nghiệm, phường Sông Mây"),
            ("Giấy tờ tùy thân:", "Thẻ căn cước số 001199000123"),
            ("Quan hệ với người được khai sinh:", "Mẹ"),
        ),
    )
    sheet.text(22, y + 1, "Đề nghị cơ quan đăng ký khai sinh cho người dưới đây:", 12, "bold")
    y = _fields(
        sheet,
        y + 11,
        (
            ("Họ, chữ đệm, tên:", "TRẦN MINH VÍ DỤ"),
            ("Ngày, tháng, năm sinh:", "05 / 11 / 2026"),
            ("Ghi bằng chữ:", "Ngày năm tháng mười một năm hai nghìn hai mươi sáu"),
            ("Giới tính:", "Nam          Dân tộc:  Kinh          Quốc tịch:  Việt Nam"),
            ("Nơi sinh:", "Bệnh viện Đa khoa Sông Mây"),
            ("Quê quán:", "Phường Sông Mây, tỉnh Mẫu"),
        ),
    )
    sheet.text(22, y + 1, "Cha, mẹ của người được khai sinh:", 12, "bold")
    sheet.table(
        22,
        y + 5,
        (42, 65, 65),
        (
            ("", "Người mẹ", "Người cha"),
            ("Họ và tên", "Nguyễn Thị Mẫu", "Trần Văn Thử"),
            ("Năm sinh", "1999", "1996"),
            ("Dân tộc", "Kinh", "Kinh"),
            ("Quốc tịch", "Việt Nam", "Việt Nam"),
            ("Nơi cư trú", "Phường Sông Mây", "Phường Sông Mây"),
        ),
        9.5,
    )
    sheet.centred(287, "Trang 1/2", 9, "italic")
    return sheet.image


def birth_form_2() -> Image.Image:
    """«Tờ khai đăng ký khai sinh», second page with the signatures."""
    sheet = Sheet(210, 297)
    y = sheet.paragraph(
        22,
        26,
        170,
        "Tôi cam đoan nội dung đề nghị đăng ký khai sinh trên đây là đúng sự thật, được sự thỏa thuận nhất trí của các "
        "bên liên quan theo quy định pháp luật. Tôi chịu hoàn toàn trách nhiệm trước pháp luật về nội dung cam đoan "
        "của mình.",
    )
    y = _fields(
        sheet,
        y + 6,
        (
            ("Giấy tờ kèm theo:", "Giấy chứng sinh số 0217/2026"),
            ("Đề nghị cấp bản sao:", "Có  –  số lượng: 03 bản"),
            ("Điện thoại liên hệ:", "0900 000 123"),
        ),
        11,
    )
    sheet.text(150, y + 6, f"Làm tại: {PLACE}, ngày 12 tháng 11 năm 2026", 11.5, "italic", anchor="ms")
    _signed(sheet, 62, y + 18, "Người cha", "Trần Văn Thử")
    _signed(sheet, 150, y + 18, "Người yêu cầu", "Nguyễn Thị Mẫu")
    y += 72
    sheet.rule(22, y, 194, y)
    sheet.text(22, y + 9, "Chú thích:", 10.5, "bold")
    y += 16
    for note in (
        "(1) Ghi rõ tên cơ quan đăng ký khai sinh.",
        "(2) Ghi theo nơi đăng ký thường trú; nếu không có thì ghi theo nơi đăng ký tạm trú.",
        "(3) Ghi rõ số, cơ quan cấp, ngày cấp hộ chiếu, thẻ căn cước hoặc giấy tờ hợp lệ thay thế.",
        "(4) Trường hợp sinh tại cơ sở y tế thì ghi rõ tên cơ sở y tế và địa chỉ trụ sở.",
        "(5) Đề nghị đánh dấu vào ô nếu có yêu cầu cấp bản sao và ghi rõ số lượng.",
    ):
        y = sheet.paragraph(22, y, 170, note, 10.5)
    sheet.centred(287, "Trang 2/2", 9, "italic")
    return sheet.image


def birth_notification_1() -> Image.Image:
    """«Giấy chứng sinh», A5 across, with the hospital's seal."""
    sheet = Sheet(210, 148, (247, 249, 250))
    sheet.text(48, 15, "SỞ Y TẾ TỈNH MẪU", 10, anchor="ms")
    sheet.text(48, 20, "BỆNH VIỆN ĐA KHOA SÔNG MÂY", 10, "bold", anchor="ms")
    sheet.rule(33, 22, 63, 22, 0.3)
    sheet.text(145, 15, "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", 10, "bold", anchor="ms")
    sheet.text(145, 20, "Độc lập – Tự do – Hạnh phúc", 10, "bold", anchor="ms")
    sheet.rule(122, 22, 168, 22, 0.3)
    sheet.centred(35, "GIẤY CHỨNG SINH", 16, "bold")
    sheet.text(190, 35, "Số: 0217/2026", 10, "italic", anchor="rs")
    y = 46.0
    for label, answer in (
        ("Họ và tên mẹ:", "Nguyễn Thị Mẫu          Năm sinh: 1999"),
        ("Số định danh cá nhân:", "001199000123"),
        ("Nơi cư trú:", "Số 12 đường Thử Nghiệm, phường Sông Mây"),
        ("Đã sinh con vào lúc:", "08 giờ 15 phút, ngày 05 tháng 11 năm 2026"),
        ("Giới tính của con:", "Nam               Cân nặng: 3 200 gam"),
        ("Dự định đặt tên con là:", "Trần Minh Ví Dụ"),
    ):
        sheet.field(18, y, label, answer, 194, 11)
        y += 8.2
    sheet.text(152, y + 2, f"{PLACE}, ngày 06 tháng 11 năm 2026", 10, "italic", anchor="ms")
    sheet.text(52, y + 8, "Người đỡ đẻ", 11, "bold", anchor="ms")
    sheet.signature(52, y + 20, "Lê Thị Thử")
    sheet.text(52, y + 38, "Lê Thị Thử", 11, "bold", anchor="ms")
    sheet.text(152, y + 8, "Thủ trưởng cơ sở y tế", 11, "bold", anchor="ms")
    sheet.signature(156, y + 20, "Phạm Văn Mẫu")
    sheet.text(152, y + 38, "Phạm Văn Mẫu", 11, "bold", anchor="ms")
    sheet.seal(133, y + 23, "BỆNH VIỆN ĐA KHOA SÔNG MÂY", "TỈNH MẪU", 17)
    return sheet.image


def marriage_certificate_1() -> Image.Image:
    """«Giấy chứng nhận kết hôn» on tinted paper within a frame, with the ward's seal."""
    sheet = Sheet(210, 297, (250, 238, 232))
    _guilloche(sheet, (243, 214, 206))
    for inset, width in ((10.0, 1.1), (12.5, 0.35)):
        _frame(sheet, inset, width)
    _state_heading(sheet, 32)
    sheet.centred(62, "GIẤY CHỨNG NHẬN KẾT HÔN", 21, "bold", RED)
    sheet.centred(71, "Số: 068/2024", 12, "italic")
    for x, title, rows in (
        (
            22,
            "Họ, chữ đệm, tên vợ:",
            ("NGUYỄN THỊ MẪU", "12/03/1999", "Kinh", "Việt Nam", "Phường Sông Mây", "001199000123"),
        ),
        (
            110,
            "Họ, chữ đệm, tên chồng:",
            ("TRẦN VĂN THỬ", "25/08/1996", "Kinh", "Việt Nam", "Phường Sông Mây", "001096000456"),
        ),
    ):
        sheet.text(x, 90, title, 12, "bold")
        sheet.hand(x + 4, 100, rows[0], 14)
        y = 113.0
        for label, answer in zip(
            ("Ngày sinh:", "Dân tộc:", "Quốc tịch:", "Nơi cư trú:", "Số định danh:"), rows[1:], strict=True
        ):
            sheet.field(x, y, label, answer, x + 80, 11.5)
            y += 10.5
    sheet.rule(105, 86, 105, 160, 0.3, RED)
    sheet.paragraph(
        22, 176, 168, "Giấy chứng nhận kết hôn này có giá trị kể từ ngày ghi vào Sổ đăng ký kết hôn. Quan hệ hôn nhân "
        "của hai bên được xác lập theo quy định của Luật Hôn nhân và Gia đình.", 12, "italic",
    )  # fmt: skip
    _signed(sheet, 50, 204, "Vợ", "Nguyễn Thị Mẫu", "(Ký, ghi rõ họ tên)")
    _signed(sheet, 50, 248, "Chồng", "Trần Văn Thử", "(Ký, ghi rõ họ tên)")
    sheet.text(148, 204, f"{PLACE}, ngày 20 tháng 5 năm 2024", 11.5, "italic", anchor="ms")
    sheet.text(148, 212, "TM. ỦY BAN NHÂN DÂN", 12, "bold", anchor="ms")
    sheet.text(148, 218, "CHỦ TỊCH", 12, "bold", anchor="ms")
    sheet.signature(152, 236, "Hoàng Văn Ví")
    sheet.text(148, 260, "Hoàng Văn Ví", 12, "bold", anchor="ms")
    sheet.seal(130, 238, WARD, "TỈNH MẪU", 18)
    return sheet.image


def petition_1() -> Image.Image:
    """«Đơn đề nghị», mostly written by hand."""
    sheet = Sheet(210, 297, (249, 248, 243))
    _state_heading(sheet)
    sheet.centred(45, "ĐƠN ĐỀ NGHỊ", 17, "bold")
    sheet.centred(53, "(V/v xác nhận chỗ ở hợp pháp)", 12, "italic")
    sheet.text(38, 66, "Kính gửi:", 12, "bold")
    sheet.hand(60, 66, "Công an phường Sông Mây", 14)
    y = _fields(
        sheet,
        80,
        (
            ("Tôi tên là:", "Nguyễn Thị Mẫu"),
            ("Sinh ngày:", "12/03/1999"),
            ("Số định danh cá nhân:", "001199000123"),
            ("Nơi ở hiện tại:", "Số 12 đường Thử Nghiệm, phường Sông Mây"),
        ),
        10,
    )
    sheet.text(22, y + 2, "Nội dung đề nghị:", 12, "bold")
    y += 13
    for line in (
        "Gia đình tôi chuyển về số 12 đường Thử Nghiệm từ ngày",
        "01/06/2026, gồm 03 nhân khẩu. Nhà ở do tôi đứng tên, không có",
        "tranh chấp. Nay tôi làm đơn này đề nghị Công an phường xác nhận",
        "chỗ ở hợp pháp để gia đình tôi làm thủ tục đăng ký thường trú",
        "theo quy định. Tôi xin cam đoan những lời khai trên là đúng sự",
        "thật và chịu trách nhiệm trước pháp luật.",
        "Tôi xin chân thành cảm ơn!",
    ):
        sheet.dots(22, y + 0.6, 194)
        sheet.hand(26, y - 0.4, line, 13.5)
        y += 10
    sheet.text(150, y + 8, f"{PLACE}, ngày 12 tháng 11 năm 2026", 11.5, "italic", anchor="ms")
    _signed(sheet, 150, y + 18, "Người làm đơn", "Nguyễn Thị Mẫu")
    return sheet.image


def household_book_1() -> Image.Image:
    """«Sổ hộ khẩu», A5: the page of the household."""
    sheet = _household_page("SỔ HỘ KHẨU", "Số: 210 000 123")
    y = 62.0
    for label, answer in (
        ("Họ và tên chủ hộ:", "TRẦN VĂN THỬ"),
        ("Nơi thường trú:", "Số 12 đường Thử Nghiệm"),
        ("", "phường Sông Mây, tỉnh Mẫu"),
        ("Hồ sơ hộ khẩu số:", "00123"),
        ("Sổ đăng ký số:", "07        Tờ số: 45"),
    ):
        sheet.field(16, y, label, answer, 134, 11)
        y += 10
    sheet.text(98, 132, "Ngày 15 tháng 6 năm 2020", 10, "italic", anchor="ms")
    sheet.text(98, 138, "TRƯỞNG CÔNG AN", 10.5, "bold", anchor="ms")
    sheet.signature(102, 155, "Đỗ Văn Mẫu")
    sheet.text(98, 178, "Đỗ Văn Mẫu", 10.5, "bold", anchor="ms")
    sheet.seal(80, 156, "CÔNG AN PHƯỜNG SÔNG MÂY", "TỈNH MẪU", 16)
    return sheet.image


def household_book_2() -> Image.Image:
    """«Sổ hộ khẩu», A5: a member of the household."""
    sheet = _household_page("CHỦ HỘ", "", 30)
    return _member(sheet, ("TRẦN VĂN THỬ", "25/08/1996", "Nam", "Tỉnh Mẫu", "Kinh", "001096000456", "Thợ điện"))


def household_book_3() -> Image.Image:
    """«Sổ hộ khẩu», A5: another member of the household."""
    sheet = _household_page("QUAN HỆ VỚI CHỦ HỘ: VỢ", "", 30)
    return _member(sheet, ("NGUYỄN THỊ MẪU", "12/03/1999", "Nữ", "Tỉnh Mẫu", "Kinh", "001199000123", "Giáo viên"))


def _household_page(title: str, number: str, y: float = 40) -> Sheet:
    sheet = Sheet(148, 210, (240, 243, 224))
    _guilloche(sheet, (225, 232, 204))
    _frame(sheet, 7, 0.5, (70, 110, 70))
    if number:
        _state_heading(sheet, 18)
        y = 44
    sheet.centred(y, title, 15, "bold", RED if number else (40, 70, 45))
    sheet.centred(y + 7, number, 11.5, "italic")
    return sheet


def _member(sheet: Sheet, answers: tuple[str, ...]) -> Image.Image:
    labels = ("Họ và tên:", "Ngày sinh:", "Giới tính:", "Nguyên quán:", "Dân tộc:", "Số định danh:", "Nghề nghiệp:")
    for i, (label, answer) in enumerate(zip(labels, answers, strict=True)):
        sheet.field(16, 48 + 11 * i, label, answer, 134, 11)
    sheet.text(98, 132, "Ngày 15 tháng 6 năm 2020", 10, "italic", anchor="ms")
    sheet.text(98, 138, "CÁN BỘ ĐĂNG KÝ", 10.5, "bold", anchor="ms")
    sheet.signature(98, 155, f"cán bộ {answers[0]}", BALLPOINT)
    return sheet.image


def _frame(sheet: Sheet, inset: float, width: float, ink: Colour = RED) -> None:
    box = [sheet.px(v) for v in (inset, inset, sheet.width - inset, sheet.height - inset)]
    ImageDraw.Draw(sheet.image).rectangle(box, outline=ink, width=sheet.px(width))


def _guilloche(sheet: Sheet, tint: Colour) -> None:
    """Fine rings over the whole sheet, as security print has."""
    for i in range(60):
        for x, y in ((0.25, 0.3), (0.75, 0.7)):
            r, cx, cy = sheet.px(2 + i * 3.1), sheet.px(sheet.width * x), sheet.px(sheet.height * y)
            sheet.pen.ellipse([cx - r, cy - r, cx + r, cy + r], outline=tint, width=2)
