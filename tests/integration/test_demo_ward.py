"""The demo's ward has a dossier in each state worth a look, and its officers can sign in."""

from __future__ import annotations

import re
from pathlib import Path

from demo.intake import ONLINE, READY, SEEDS, Desk
from demo.officers import DESK, EVERYBODY, add_officers
from domain.dossier import DossierStatus
from domain.intake_moves import IntakeAction
from domain.officers import RIGHTS, Right
from gateway.bootstrap import list_officers, migrate
from gateway.configuration import load_settings
from gateway.settings import Settings

S = DossierStatus
DEMO = Path(__file__).resolve().parents[2] / "config" / "demo.toml"


def settings_at(folder: Path) -> Settings:
    config = folder / "demo.toml"
    text = DEMO.read_text(encoding="utf-8").replace("../var/demo", str(folder))
    config.write_text(re.sub(r'mapping = "onestop', f'mapping = "{DEMO.parent}/onestop', text), encoding="utf-8")
    return load_settings(config)


async def test_the_wards_desk_has_a_dossier_in_each_state_and_one_filed_online_that_waits(tmp_path: Path) -> None:
    settings = settings_at(tmp_path)
    await migrate(settings)
    desk = Desk(settings)
    await desk.fill()
    assert {name: dossier.status for name, dossier in desk.dossiers.items()} == dict(
        zip(
            [name for name in SEEDS if name != READY],
            [S.IN_PROCESS, S.MORE_DOCUMENTS, S.DONE, S.RETURNED, S.NEWLY_REGISTERED],
            strict=True,
        )
    )
    assert desk.dossiers[ONLINE].declared_at is not None
    await desk.register(READY)
    await desk.act(READY, IntakeAction.FINISH)
    assert desk.dossiers[READY].notify


async def test_everybody_of_the_demo_can_sign_in_and_two_work_at_the_desk(tmp_path: Path) -> None:
    settings = settings_at(tmp_path)
    await migrate(settings)
    await add_officers(settings, EVERYBODY)
    roles = {each.login: set(each.roles) for each in await list_officers(settings)}
    assert roles == {each.login: set(each.roles) for each in EVERYBODY}
    works = RIGHTS[Right.INTAKE_WORK]
    assert {login for login, theirs in roles.items() if theirs & works} == {each.login for each in DESK}
