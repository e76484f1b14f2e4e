"""Makes the process out of its parts: the one package that names concrete channels and adapters."""

from __future__ import annotations

from gateway.bootstrap.checking import check
from gateway.bootstrap.desk import (
    cancel_stoppage,
    close_hold,
    letters,
    list_holds,
    list_stoppages,
    normalise_number,
    person_data,
    plan_stoppage,
    stoppage_outlook,
)
from gateway.bootstrap.hooks import sign_hook
from gateway.bootstrap.incidents import report_incident
from gateway.bootstrap.intake_outside import intake_desk
from gateway.bootstrap.looking import standing
from gateway.bootstrap.officers import (
    ReadyOfficer,
    add_officer,
    add_ready_officers,
    close_officer,
    list_officers,
    reset_officer,
)
from gateway.bootstrap.reserving import reserve_codes
from gateway.bootstrap.serving import serve
from gateway.bootstrap.sites import add_site, change_site, list_sites, pasted, revoke_site, site_agency, site_use
from gateway.bootstrap.sms_statuses import bind_answers, submit_advice, submit_answers
from gateway.bootstrap.sms_tools import list_sms, persons_number, probe_sms, send_sms, sms_holder
from gateway.bootstrap.sources import inspect_sources, list_sources
from gateway.bootstrap.store import migrate
from gateway.bootstrap.watching import trigger_script
from gateway.bootstrap.words import read_words

__all__ = [
    "ReadyOfficer",
    "add_officer",
    "add_ready_officers",
    "add_site",
    "bind_answers",
    "cancel_stoppage",
    "change_site",
    "check",
    "close_hold",
    "close_officer",
    "inspect_sources",
    "intake_desk",
    "letters",
    "list_holds",
    "list_officers",
    "list_sites",
    "list_sms",
    "list_sources",
    "list_stoppages",
    "migrate",
    "normalise_number",
    "pasted",
    "person_data",
    "persons_number",
    "plan_stoppage",
    "probe_sms",
    "read_words",
    "report_incident",
    "reserve_codes",
    "reset_officer",
    "revoke_site",
    "send_sms",
    "serve",
    "sign_hook",
    "site_agency",
    "site_use",
    "sms_holder",
    "standing",
    "stoppage_outlook",
    "submit_advice",
    "submit_answers",
    "trigger_script",
]
