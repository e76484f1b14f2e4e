"""Where everything of the console is."""

from __future__ import annotations

HOME = "/"
STATIC = "/static/{file}"
SIGN_IN = "/dang-nhap"
SIGN_OUT = "/dang-xuat"

# ---- the officer's own account
ACCOUNT = "/tai-khoan"
ACCOUNT_PASSWORD = "/tai-khoan/mat-khau"  # noqa: S105 - an address
ACCOUNT_TOTP = "/tai-khoan/ma-xac-thuc"
ACCOUNT_SESSION_END = "/tai-khoan/phien/{session}/ket-thuc"
ACCOUNT_LANGUAGE = "/tai-khoan/ngon-ngu"

# ---- officers and what they did
OFFICERS = "/can-bo"
OFFICER_NEW = "/can-bo/moi"
OFFICER = "/can-bo/{officer:[0-9]+}"
OFFICER_RESET = "/can-bo/{officer:[0-9]+}/dat-lai"
OFFICER_CLOSE = "/can-bo/{officer:[0-9]+}/khoa"
AUDIT = "/nhat-ky"
AUDIT_FILE = "/nhat-ky.csv"

# ---- broadcasts
BROADCASTS = "/gui-tin"
BROADCAST_NEW = "/gui-tin/moi"
BROADCAST = "/gui-tin/{broadcast:[0-9]+}"
BROADCAST_COUNT = "/gui-tin/dem"  # segments, signs that force UCS-2, people, cost, while one types
BROADCAST_FILE = "/gui-tin/{broadcast:[0-9]+}/danh-sach"  # recipients by file
BROADCAST_FILE_TAKE = "/gui-tin/{broadcast:[0-9]+}/danh-sach/dung"
BROADCAST_FILE_FAULTS = "/gui-tin/{broadcast:[0-9]+}/danh-sach/loi.csv"
BROADCAST_FILE_PROGRESS = "/gui-tin/{broadcast:[0-9]+}/danh-sach/tien-do"  # server-sent events
BROADCAST_TEST = "/gui-tin/{broadcast:[0-9]+}/thu"
BROADCAST_ACT = "/gui-tin/{broadcast:[0-9]+}/{action:[a-z_]+}"  # each of those below
BROADCAST_EDIT = "/gui-tin/{broadcast:[0-9]+}/edit"
BROADCAST_SUBMIT = "/gui-tin/{broadcast:[0-9]+}/submit"
BROADCAST_SEND_BACK = "/gui-tin/{broadcast:[0-9]+}/send_back"
BROADCAST_APPROVE = "/gui-tin/{broadcast:[0-9]+}/approve"
BROADCAST_PAUSE = "/gui-tin/{broadcast:[0-9]+}/pause"
BROADCAST_RESUME = "/gui-tin/{broadcast:[0-9]+}/resume"
BROADCAST_STOP = "/gui-tin/{broadcast:[0-9]+}/stop"
BROADCAST_RESEND = "/gui-tin/{broadcast:[0-9]+}/resend"
BROADCAST_PROGRESS = "/gui-tin/{broadcast:[0-9]+}/tien-do"  # server-sent events
BROADCAST_RESULTS = "/gui-tin/{broadcast:[0-9]+}/ket-qua.csv"

# ---- the desk: dossiers of agencies without a one-stop system of their own
INTAKE = "/ho-so"
INTAKE_NEW = "/ho-so/moi"
INTAKE_NEW_MAIL = "/ho-so/moi/thu"  # an .eml fills the form
INTAKE_CHECK = "/ho-so/moi/kiem-tra"  # papers, fee and promised day of a procedure, while one types
INTAKE_ONE = "/ho-so/{dossier:[0-9]+}"
INTAKE_ACT = "/ho-so/{dossier:[0-9]+}/{action:[a-z_]+}"  # domain.intake_moves.IntakeAction
INTAKE_RECEIPT = "/ho-so/{dossier:[0-9]+}/bien-nhan"  # form 01: A5, ?kho=80 for a roll of 80 mm
INTAKE_RECEIPT_PDF = "/ho-so/{dossier:[0-9]+}/bien-nhan.pdf"
INTAKE_FORM = "/ho-so/{dossier:[0-9]+}/mau/{form:0[1-5]}"  # forms 01 to 05 of circular 03/2025, printable
INTAKE_SLIP = "/ho-so/{dossier:[0-9]+}/phieu-kiem-soat"  # form 06 of circular 03/2025, printable
INTAKE_FILES = "/ho-so/{dossier:[0-9]+}/tep"
INTAKE_FILE = "/ho-so/{dossier:[0-9]+}/tep/{file:[0-9]+}"
INTAKE_BOOK = "/ho-so/so-theo-doi"  # form 07 of circular 03/2025, printable
NUMBERS = "/so-du-phong"  # codes set aside for paper
NUMBERS_SHEET = "/so-du-phong/{block:[0-9]+}/in"  # sheets to fill in by hand
NUMBERS_VOID = "/so-du-phong/{block:[0-9]+}/huy"
LATE = "/nhap-bu"  # what was on paper: by file
LATE_TAKE = "/nhap-bu/nhan"
LATE_FAULTS = "/nhap-bu/loi.csv"
LATE_BLANK = "/nhap-bu/mau.csv"
LATE_PROGRESS = "/nhap-bu/tien-do"
LATE_RESULT = "/nhap-bu/ket-qua.csv"
RECONCILE = "/doi-chieu"
RECONCILE_FILE = "/doi-chieu.csv"

# ---- messages, and what people think
MESSAGES = "/tin-nhan"
MESSAGES_NUMBER = "/tin-nhan/so-dien-thoai"  # by a number typed in full, which never stands in an address
FEEDBACK = "/gop-y"
FEEDBACK_FILE = "/gop-y.csv"
FEEDBACK_ONE = "/gop-y/{number:[0-9]+}"
FEEDBACK_ANSWER = "/gop-y/{number:[0-9]+}/tra-loi"
FEEDBACK_PASS = "/gop-y/{number:[0-9]+}/chuyen"  # noqa: S105 - an address

# ---- health
HEALTH = "/tinh-trang"
HEALTH_EVENTS = "/tinh-trang/su-kien"  # server-sent events
INCIDENT = "/su-co"

# ---- the widget's keys, help
SITES = "/trang-tich-hop"
SITE_REVOKE = "/trang-tich-hop/{key}/thu-hoi"
HELP = "/tro-giup"
HELP_ONE = "/tro-giup/{page:[a-z-]+}"

UPLOADS = frozenset({BROADCAST_FILE, INTAKE_NEW, INTAKE_NEW_MAIL, INTAKE_FILES, LATE})  # routes that take files
