"""Where everything of the web channel is: the pages, the API, the widget. Addresses are promises, so they stand in one place."""

from __future__ import annotations

# ---- pages for citizens; whole without a script
HOME = "/"
LOOK_UP = "/tra-cuu"
SHORT = "/d/{code:(?s:.*)}"  # a dossier, for a QR code or a message; a receipt's secret may stand behind a #
SHORT_UPPER = "/D/{code:(?s:.*)}"  # the same in capitals only, which makes a smaller QR code
PROCEDURES = "/thu-tuc"
PROCEDURE = "/thu-tuc/{code:(?s:.*)}"
FORM_FILE = "/bieu-mau/{file}"
FOLLOW = "/theo-doi"
FOLLOW_CONFIRM = "/theo-doi/xac-nhan"
GUIDES = "/huong-dan"
GUIDE = "/huong-dan/{agency}"
LEAFLET = "/to-roi"
PROBLEM = "/problems/{slug}"

# ---- filing online; whoever has the token has the dossier
FILING = "/nop-ho-so"
FILING_PROCEDURE = "/nop-ho-so/{code}"
FILED = "/ho-so/{token}"  # a draft, and the dossier it becomes
FILED_PAPERS = "/ho-so/{token}/giay-to"  # takes files
FILED_UNTAKE = "/ho-so/{token}/bo-tep"
FILED_NUMBER = "/ho-so/{token}/so-dien-thoai"
FILED_CODE = "/ho-so/{token}/ma-xac-nhan"
FILED_SEND = "/ho-so/{token}/gui"
FILED_DELETE = "/ho-so/{token}/xoa"
FILED_SUPPLEMENT = "/ho-so/{token}/bo-sung"  # takes files
FILED_WITHDRAW = "/ho-so/{token}/rut"
FILED_RESULT = "/ho-so/{token}/ket-qua/{file}"
UPLOADS = (FILED_PAPERS, FILED_SUPPLEMENT)

# ---- pages for webmasters
INTEGRATE = "/integrate"
INTEGRATE_QR = "/integrate/qr.svg"  # opens the look-up page; for sites that allow no more than a picture
EMBED = "/embed"  # for an <iframe>
SITE_USE = "/webmaster"
API_GUIDE = "/api"

# ---- the API, version 1
API = "/api/v1"
OPENAPI = "/api/v1/openapi.json"
API_DOSSIER = "/api/v1/dossiers/{code:(?s:.*)}"
API_CHALLENGE = "/api/v1/challenge"
API_PROCEDURES = "/api/v1/procedures"
API_PROCEDURE = "/api/v1/procedures/{code:(?s:.*)}"
API_AGENCIES = "/api/v1/agencies"
API_AGENCY = "/api/v1/agencies/{identifier}"
API_SUBSCRIPTIONS = "/api/v1/subscriptions"
API_SUBSCRIPTION = "/api/v1/subscriptions/{token}"
API_HEALTH = "/api/v1/health"

# ---- the widget: /widget/1/… follows the newest 1.x, /widget/1.0.0/… never changes
WIDGET = "/widget/{version}/{file}"
WIDGET_FILE = "dossier-status.js"
