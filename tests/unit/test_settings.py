"""Settings: every fault named at once with its place, secrets never shown, later layers win."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from domain.errors import SettingsError
from gateway.configuration import CONFIG_DIRECTORY, load_settings
from gateway.settings import Settings
from gateway.toml_lines import key_lines, place_of

NOT_A_NUMBER = "expected a valid integer, unable to parse string as an integer"
GOOD = """\
[replies]
help_phone = "1022"

[[sources]]
name = "thanh-hoa"
url = "sqlite+aiosqlite:///onestop.sqlite3"
mapping = "mapping.toml"
prefixes = ["H56"]

[[sms]]
name = "viettel-1"
host = "smsc.example"
system_id = "tracuu"
password = "s3cret"
short_code = "8100"
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir("/")
    (tmp_path / "mapping.toml").touch()
    path = tmp_path / "gateway.toml"
    path.write_text(GOOD, encoding="utf-8")
    return path


def faults(path: Path | None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    return str(caught.value).splitlines()


def rewrite(path: Path, old: str, new: str) -> Path:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def test_all_faults_are_told_at_once_with_key_line_and_what_is_expected(config: Path) -> None:
    rewrite(config, 'host = "smsc.example"\n', "port = 70000\n")
    rewrite(config, 'help_phone = "1022"', 'help_fone = "1022"\nmax_codes = "many"')
    told = faults(config)
    assert told == [
        f"{config}:1: replies.help_phone: is missing. The number a citizen may call, at most 12 characters; in every help reply.",
        f"{config}:3: replies.max_codes: {NOT_A_NUMBER}",
        f"{config}:2: replies.help_fone: unknown key; did you mean help_phone?",
        f"{config}:11: sms[0].host: is missing. The SMSC's address.",
        f"{config}:13: sms[0].port: expected less than or equal to 65535",
    ]


def test_without_any_file_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    told = faults(None)
    assert any("replies.help_phone: is missing" in line for line in told)
    assert "sources: expected at least one entry" in told


def test_a_file_that_is_not_toml_is_one_line(config: Path) -> None:
    config.write_text("[replies\n", encoding="utf-8")
    (told,) = faults(config)
    assert told.startswith(f"{config}: is not TOML: ")
    assert "line 1" in told


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    assert faults(tmp_path / "none.toml") == [f"{tmp_path / 'none.toml'}: cannot be read: No such file or directory"]


def test_an_unknown_section_and_an_unknown_variable_are_faults(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACUU_LOG__LEVEL", "debug")
    rewrite(config, "[replies]", "[sound]\nloud = true\n[replies]")
    assert faults(config) == [
        "environment TRACUU_LOG__LEVEL: unknown key; did you mean logs?",
        f"{config}:1: sound: unknown key; known here: {', '.join(Settings.model_fields)}",
    ]


def test_the_environment_wins_over_the_file_and_the_file_over_the_defaults(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite(config, "[replies]", "[logs]\nformat = 'console'\nlevel = 'error'\n[replies]")
    monkeypatch.setenv("TRACUU_LOGS__LEVEL", "debug")
    monkeypatch.setenv("TRACUU_LISTEN__PUBLIC__PORT", "0")
    monkeypatch.setenv("TRACUU_GUARDS__REPLIES_PER_SENDER", '[{"count": 5, "seconds": 60}]')
    settings = load_settings(config)
    assert (settings.logs.format, settings.logs.level) == ("console", "debug")
    assert (settings.listen.public.port, settings.listen.operations.port) == (0, 8082)
    assert [limit.count for limit in settings.guards.replies_per_sender] == [5]


def test_a_variable_reaches_an_account_by_its_name(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rewrite(config, 'password = "s3cret"\n', "")
    monkeypatch.setenv("TRACUU_SMS__VIETTEL_1__PASSWORD", "12345678")
    assert load_settings(config).sms[0].password.get_secret_value() == "12345678"


def test_a_fault_in_a_variable_names_the_variable(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACUU_SMS__VIETTEL_1__WINDOW", "wide")
    monkeypatch.setenv("TRACUU_SMS__VIETEL__WINDOW", "1")
    monkeypatch.setenv("TRACUU_GUARDS__OWN_NUMBERS", "[broken")
    assert faults(config) == [
        "environment TRACUU_SMS__VIETEL: sms: there is no [[sms]] of this name",
        "environment TRACUU_GUARDS__OWN_NUMBERS: guards.own_numbers: expected a valid tuple",
        f"environment TRACUU_SMS__VIETTEL_1__WINDOW: sms[0].window: {NOT_A_NUMBER}",
    ]


def test_paths_belong_to_the_file_that_names_them(config: Path) -> None:
    rewrite(config, "[replies]", '[database]\nurl = "sqlite:///data/store.sqlite3"\n[replies]')
    settings = load_settings(config)
    assert settings.sources[0].mapping == config.parent / "mapping.toml"
    assert settings.sources[0].url.get_secret_value() == f"sqlite+aiosqlite:///{config.parent}/onestop.sqlite3"
    assert settings.database.path == config.parent / "data/store.sqlite3"
    assert settings.texts.path.is_dir()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:hunter2@h/d", "name the driver: postgresql+asyncpg://"),
        ("postgres://u:hunter2@h/d", "name the driver: postgresql+asyncpg://"),
        ("postgresql+psycopg://u:hunter2@h/d", "name the driver: postgresql+asyncpg://"),
        ("postgresql+asyncpg://u:hunter2@h", "expected postgresql+asyncpg://user:password@host:5432/database"),
        ("postgresql+asyncpg://u:hunter2@h:port/d", "expected postgresql+asyncpg://user:password@host:5432/database"),
        ("mysql://u:hunter2@h/d", "expected sqlite:///path"),
        ("sqlite://", "expected sqlite:///path"),
    ],
)
def test_a_store_of_another_kind_is_refused_and_says_what_is_wanted(
    config: Path, monkeypatch: pytest.MonkeyPatch, url: str, expected: str
) -> None:
    monkeypatch.setenv("TRACUU_DATABASE__URL", url)
    (told,) = faults(config)
    assert told.startswith(f"environment TRACUU_DATABASE__URL: database.url: {expected}")
    assert "hunter2" not in told


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+asyncpg://u:hunter2@h:5433/d",
        "postgresql+asyncpg://u@[::1]:5432/d?ssl=require",
        "postgresql+asyncpg:///d?host=/run/postgresql",
    ],
)
def test_postgresql_is_a_store_for_several(config: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("TRACUU_DATABASE__URL", url)
    database = load_settings(config).database
    assert (database.url.get_secret_value(), database.shared) == (url, True)
    with pytest.raises(ValueError, match="not an SQLite file"):
        database.path  # noqa: B018 - reading it is the test


def test_the_address_of_the_store_may_stand_in_a_file_of_its_own(config: Path) -> None:
    rewrite(config, "[replies]", '[database]\nurl_file = "store.url"\n[replies]')
    (config.parent / "store.url").write_text("postgresql+asyncpg://u:hunter2@h/d\n", encoding="utf-8")
    assert load_settings(config).database.shared


def test_a_source_names_its_driver(config: Path) -> None:
    rewrite(config, "sqlite+aiosqlite:///", "mysql://reader:hunter2@")
    (told,) = faults(config)
    assert "sources[0].url: expected a URL that names its driver" in told
    assert "hunter2" not in told


def test_a_secret_has_no_default(config: Path) -> None:
    rewrite(config, 'password = "s3cret"\n', "")
    (told,) = faults(config)
    assert told.startswith(f"{config}:10: sms[0].password: is missing (or set password_file)")


def test_a_secret_may_stand_in_a_file_of_its_own(config: Path) -> None:
    rewrite(config, 'password = "s3cret"', 'password_file = "password"')
    (config.parent / "password").write_text("hidden1\n", encoding="utf-8")
    assert load_settings(config).sms[0].password.get_secret_value() == "hidden1"


@pytest.mark.parametrize(
    ("held", "told"),
    [
        (None, "there is no file {file}, which should hold password"),
        (b"", "{file} is empty, and should hold password"),
        (b" \n\t\n", "{file} is empty, and should hold password"),
        (b"\xff\xfe", "{file} cannot be read as text (UTF-8)"),
    ],
)
def test_a_secret_file_of_no_use_is_one_fault_that_says_why(config: Path, held: bytes | None, told: str) -> None:
    """Shown to an operator's SMSC, an empty password would count as a wrong one."""
    rewrite(config, 'password = "s3cret"', 'password_file = "word"')
    file = config.parent / "word"
    if held is not None:
        file.write_bytes(held)
    assert faults(config) == [f"{config}:14: sms[0].password_file: {told.format(file=file)}"]


def test_a_secret_file_that_cannot_be_read_says_why(config: Path) -> None:
    rewrite(config, 'password = "s3cret"', 'password_file = "word"')
    file = config.parent / "word"
    file.mkdir()
    assert faults(config) == [f"{config}:14: sms[0].password_file: {file} cannot be read: Is a directory"]


def test_what_is_no_path_of_a_secret_is_told_and_nothing_that_follows_from_it(config: Path) -> None:
    rewrite(config, 'password = "s3cret"', "password_file = 5")
    told = faults(config)
    assert f"{config}:14: sms[0].password_file: expected the path of a file that holds password" in told
    assert not any("is missing" in line for line in told)


def test_a_secret_and_its_file_together_are_a_fault(config: Path) -> None:
    rewrite(config, 'password = "s3cret"', 'password = "s3cret"\npassword_file = "password"')
    assert faults(config) == [f"{config}:15: sms[0].password_file: password is set too; keep one of the two"]


def test_secrets_are_never_shown(config: Path) -> None:
    rewrite(config, "[replies]", '[redis]\nurl = "redis://:hunter2@localhost/0"\n[replies]')
    settings = load_settings(config)
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert "s3cret" not in shown
    assert "hunter2" not in shown


def test_a_wrong_secret_is_not_echoed(config: Path) -> None:
    rewrite(config, "s3cret", "far-too-long-a-password")
    (told,) = faults(config)
    assert "sms[0].password" in told
    assert "far-too-long" not in told


def test_a_name_is_given_once(config: Path) -> None:
    text = config.read_text(encoding="utf-8")
    config.write_text(text + text[text.index("[[sources]]") :], encoding="utf-8")
    assert faults(config) == [
        f"{config}:17: sources[1].name: 'thanh-hoa' is taken by another [[sources]]",
        f"{config}:23: sms[1].name: 'viettel-1' is taken by another [[sms]]",
    ]


def test_clashes_are_told_together_with_other_faults(config: Path) -> None:
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("1022", "") + text[text.index("[[sms]]") :], encoding="utf-8")
    told = "\n".join(faults(config))
    assert "replies.help_phone" in told
    assert "sms[1].name" in told


def test_an_answer_is_usable_at_least_as_long_as_it_is_fresh(config: Path) -> None:
    rewrite(config, "[replies]", "[lookup]\nfresh_s = 60\nstale_s = 30\n[replies]")
    assert faults(config) == [f"{config}:3: lookup.stale_s: expected at least lookup.fresh_s"]


@pytest.mark.parametrize("value", ["5", "[]", '"text"', "[1, 2]", "[[1]]", "true"])
@pytest.mark.parametrize("section", ["sms", "sources", "listen", "replies", "texts"])
def test_a_section_of_the_wrong_shape_is_a_fault_and_no_crash(config: Path, section: str, value: str) -> None:
    lines = [f"{section} = {value}"]
    lines += ['replies.help_phone = "1022"'] if section != "replies" else []
    config.write_text("\n".join(lines), encoding="utf-8")
    assert faults(config)


def test_settings_are_frozen(config: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings(config).logs.level = "debug"


def test_the_demo_configuration_is_sound() -> None:
    settings = load_settings(CONFIG_DIRECTORY / "demo.toml")
    assert [source.name for source in settings.sources] == ["hoso", "dossier", "intake"]


def test_the_example_for_production_lacks_only_the_files_it_names(tmp_path: Path) -> None:
    example = tmp_path / "gateway.toml"
    example.write_text((CONFIG_DIRECTORY / "production.example.toml").read_text(encoding="utf-8"), encoding="utf-8")
    assert {line.split(": ")[1] for line in faults(example)} == {
        "agencies.path",
        "procedures.path",
        "disclosure.proof_key_file",
        "sources[0].url_file",
        "sources[0].mapping",
        "sms[0].password_file",
    }
    for name in ("secrets", "onestop"):
        (tmp_path / name).mkdir()
    for name in ("agencies.toml", "procedures.toml"):
        (tmp_path / name).touch()
    (tmp_path / "onestop" / "province.toml").touch()
    (tmp_path / "secrets" / "onestop-url").write_text("mysql+aiomysql://reader:x@host/db", encoding="utf-8")
    (tmp_path / "secrets" / "smsc-password").write_text("s3cret", encoding="utf-8")
    (tmp_path / "secrets" / "proof-key").write_text("5c8d" * 16, encoding="utf-8")
    assert load_settings(example).sms[0].password.get_secret_value() == "s3cret"


def test_the_example_of_the_readme_is_sound(tmp_path: Path) -> None:
    readme = (CONFIG_DIRECTORY.parent / "README.md").read_text(encoding="utf-8")
    example = readme.partition("```toml\n")[2].partition("```")[0].replace("/etc/tracuu", str(tmp_path))
    (tmp_path / "onestop.url").write_text("postgresql+asyncpg://reader:x@db/onestop", encoding="utf-8")
    (tmp_path / "onestop.toml").touch()
    (tmp_path / "viettel.password").write_text("s3cret", encoding="utf-8")
    (tmp_path / "gateway.toml").write_text(example, encoding="utf-8")
    (tmp_path / "telegram.token").write_text("123456:a-token", encoding="utf-8")
    settings = load_settings(tmp_path / "gateway.toml")
    assert (settings.sms[0].name, settings.telegram[0].name) == ("viettel", "bot")


def test_the_chats_of_the_example_for_production_are_sound(tmp_path: Path, config: Path) -> None:
    lines = (CONFIG_DIRECTORY / "production.example.toml").read_text(encoding="utf-8").splitlines()
    chats = "\n".join(lines).partition("# [[telegram]]")
    chosen = f"{chats[1]}{chats[2]}".partition("\n[notices]")[0].replace("# ", "", 1).replace("\n# ", "\n")
    chosen = chosen.replace("secrets/", f"{tmp_path}/").replace("/var/lib/tracuu/zalo", str(tmp_path))
    for name in ("telegram-webhook", "zalo-oa", "zalo-app", "zalo-refresh"):
        (tmp_path / name).write_text("s3cret", encoding="utf-8")
    (tmp_path / "telegram-token").write_text("123456:a-token", encoding="utf-8")
    (tmp_path / "telegram-proxy").write_text("http://user:password@127.0.0.1:3128", encoding="utf-8")
    config.write_text(f"{config.read_text(encoding='utf-8')}\n{chosen}\n", encoding="utf-8")
    settings = load_settings(config)
    assert (settings.telegram[0].updates, settings.zalo[0].name) == ("webhook", "oa")


@pytest.mark.parametrize("figure", ["inf", "nan", "1e14", "-1.0"])
@pytest.mark.parametrize(
    ("table", "key"), [("lookup", "stale_s"), ("replies", "question_minutes"), ("sms", "rate"), ("sms", "validity")]
)
def test_a_figure_nobody_can_reckon_with_is_a_fault_not_a_crash(
    config: Path, table: str, key: str, figure: str
) -> None:
    if table == "lookup":
        config.write_text(f"{GOOD}\n[lookup]\n{key} = {figure}\n", encoding="utf-8")
    else:
        before = {"replies": 'help_phone = "1022"\n', "sms": 'short_code = "8100"\n'}[table]
        rewrite(config, before, f"{before}{key} = {figure}\n")
    (told,) = faults(config)
    assert f"{key}: expected" in told


def test_a_file_that_is_no_text_is_told(config: Path) -> None:
    (config.parent / "mapping.toml").write_bytes(b"\xff\xfe")
    (told,) = faults(config)
    assert told.endswith("mapping.toml cannot be read as text (UTF-8)")


def test_a_fault_of_form_is_told_in_words_not_as_a_regular_expression(config: Path) -> None:
    rewrite(config, '"1022"', '"call us"')
    rewrite(config, '"s3cret"', '"longer than 8"')
    phone, password = faults(config)
    assert phone.endswith(
        "is not in the form expected. The number a citizen may call, at most 12 characters; in every help reply."
    )
    assert password.endswith("is not in the form expected. Our password there; SMPP allows 8 characters.")


def models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for info in model.model_fields.values():
        for kind in (info.annotation, *getattr(info.annotation, "__args__", ())):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from models(kind)


def test_every_setting_says_what_it_means() -> None:
    for model in models(Settings):
        assert model.__doc__, model
        for name, info in model.model_fields.items():
            assert info.description or model is Settings, f"{model.__name__}.{name}"


# ---- lines of a TOML text


def test_keys_are_found_behind_multi_line_values() -> None:
    text = '# c\na = """\n[no]\nb = 1\n"""\nc = [\n  1,\n  # x = 2\n]\n[t."x.y"]\nd.e = 1\n\n[[l]]\n[[l]]\nf = { g = 1 }\n[l.m]\nh = 1\n'
    assert key_lines(text) == {
        ("a",): 2,
        ("c",): 6,
        ("t", "x.y"): 10,
        ("t", "x.y", "d"): 11,
        ("t", "x.y", "d", "e"): 11,
        ("l", 0): 13,
        ("l", 1): 14,
        ("l", 1, "f"): 15,
        ("l", 1, "f", "g"): 15,
        ("l", 1, "m"): 16,
        ("l", 1, "m", "h"): 17,
    }


def test_a_missing_key_is_told_at_its_table() -> None:
    assert place_of({("t",): 3}, ("t", "x")) == 3
    assert place_of({("t",): 3}, ("u", "x")) is None


KEYS = st.from_regex(r"[a-z]{1,4}", fullmatch=True)
VALUES = st.one_of(st.integers().map(str), st.sampled_from(["[\n1,\n2]", '"""\n[a]\n"""', "{ z = 1 }", "'#'"]))


@given(st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=4), max_size=4))
def test_every_key_of_any_table_has_its_line(tables: dict[str, dict[str, str]]) -> None:
    lines: list[str] = []
    expected: dict[tuple[Any, ...], int] = {}
    for table, values in tables.items():
        lines += ["", f"[{table}]"]
        expected[(table,)] = len(lines)
        for key, value in values.items():
            expected[(table, key)] = len(lines) + 1
            lines += f"{key} = {value}".splitlines()
    found = key_lines("\n".join(lines))
    assert {place: line for place, line in found.items() if place[-1] != "z" or place in expected} == expected


def test_notices_by_an_account_that_is_not_there_are_a_fault(config: Path) -> None:
    config.write_text(GOOD + '[notices]\naccount = "viettel"\n', encoding="utf-8")
    (told,) = faults(config)
    assert told == f"{config}:17: notices.account: there is no [[sms]] of this name; there are: viettel-1"


ROUTE = """[[notices.route]]
prefixes = ["{prefixes}"]
account = "{account}"
"""


def test_a_route_takes_prefixes_however_they_are_written(config: Path) -> None:
    config.write_text(GOOD + ROUTE.format(prefixes='096", "+8497", "84 98', account="viettel-1"), encoding="utf-8")
    [route] = load_settings(config).notices.route
    assert (route.prefixes, route.account) == (("8496", "8497", "8498"), "viettel-1")


def test_a_route_to_an_account_that_is_not_there_is_a_fault(config: Path) -> None:
    config.write_text(GOOD + ROUTE.format(prefixes="096", account="viettel"), encoding="utf-8")
    (told,) = faults(config)
    assert told == (
        f"{config}:18: notices.route[0].account: 'viettel': there is no [[sms]] of this name; there are: viettel-1"
    )


@pytest.mark.parametrize(("first", "second"), [("096", "+8496"), ('097", "8497', "096")])
def test_a_prefix_of_two_routes_is_a_fault_however_it_is_written(config: Path, first: str, second: str) -> None:
    routes = [ROUTE.format(prefixes=prefixes, account="viettel-1") for prefixes in (first, second)]
    config.write_text(GOOD + "".join(routes), encoding="utf-8")
    (told,) = faults(config)
    assert "is in the route to viettel-1 already" in told
    assert told.startswith(f"{config}:")


def test_what_no_number_begins_with_is_a_fault(config: Path) -> None:
    config.write_text(GOOD + ROUTE.format(prefixes="viettel", account="viettel-1"), encoding="utf-8")
    (told,) = faults(config)
    assert told.endswith(
        "notices.route[0].prefixes[0]: expected the beginning of telephone numbers: 8496, +8496 or 096"
    )


def test_nobody_follows_by_itself_without_saying_by_what_right(config: Path) -> None:
    rewrite(config, 'prefixes = ["H56"]', 'prefixes = ["H56"]\nwatch = { follow_applicants = true }')
    (told,) = faults(config)
    assert told.startswith(f"{config}:9: sources[0].watch.follow_basis: is needed with follow_applicants")


def test_a_notice_nobody_knows_cannot_be_switched_off(config: Path) -> None:
    config.write_text(GOOD + '[notices]\noff = [{ kinds = ["redy"] }]\n', encoding="utf-8")
    (told,) = faults(config)
    assert "notices.off[0].kinds[0]: expected 'newly_registered'" in told


def test_a_legal_basis_is_written_as_it_is_printed_in_the_gazette(config: Path) -> None:
    words = "Quyết định 40/2016/QĐ-UBND, Điều 5"
    config.write_text(GOOD + f'[[console.legal_bases]]\nagency = "H51"\nwords = "{words}"\n', encoding="utf-8")
    (basis,) = load_settings(config).console.legal_bases
    assert basis.words == words


def test_a_legal_basis_that_no_form_could_send_back_is_a_fault(config: Path) -> None:
    broken = 'words = "Quyết định\\n40/2016/QĐ-UBND"'
    config.write_text(GOOD + f'[[console.legal_bases]]\nagency = "H51"\n{broken}\n', encoding="utf-8")
    (told,) = faults(config)
    assert "console.legal_bases[0].words: expected one line without signs that cannot be seen" in told


# ---- accounts at an SMSC


def with_account(config: Path, lines: str) -> Path:
    return rewrite(config, 'short_code = "8100"\n', f'short_code = "8100"\n{lines}\n')


def test_an_account_has_as_many_binds_as_its_tables_say(config: Path) -> None:
    (config.parent / "second").write_text("t0p\n", encoding="utf-8")
    binds = '[[sms.bind]]\ncount = 2\n[[sms.bind]]\nmode = "receiver"\nsystem_id = "rx"\npassword_file = "second"'
    (account,) = load_settings(with_account(config, binds)).sms
    assert [(bind.mode, bind.count, bind.system_id) for bind in account.bind] == [
        ("transceiver", 2, ""),
        ("receiver", 1, "rx"),
    ]
    assert account.bind[1].password is not None
    assert account.bind[1].password.get_secret_value() == "t0p"


def test_an_account_that_could_never_send_is_a_fault(config: Path) -> None:
    (told,) = faults(with_account(config, '[[sms.bind]]\nmode = "receiver"\n[[sms.bind]]\nmode = "receiver"'))
    assert told.startswith(f"{config}:17: sms[0].bind[0].mode: expected one bind that transmits")


def test_a_bind_of_a_kind_there_is_not_is_told_by_its_number(config: Path) -> None:
    (told,) = faults(with_account(config, '[[sms.bind]]\n[[sms.bind]]\nmode = "both"'))
    assert told.startswith(f"{config}:18: sms[0].bind[1].mode: expected 'transceiver', 'transmitter' or 'receiver'")


@pytest.mark.parametrize("name", ["UBND H51", "DVC.H51", "H51_1-cua", "A"])
def test_a_name_as_operators_register_them_may_be_the_sender(config: Path, name: str) -> None:
    assert load_settings(with_account(config, f'brand_name = "{name}"')).sms[0].brand_name == name


@pytest.mark.parametrize("name", ["Một cửa", "DVC@H51", "8100", "H51[1]", " H51", "H51 "])
def test_a_senders_name_no_telephone_would_show_is_a_fault(config: Path, name: str) -> None:
    (told,) = faults(with_account(config, f'brand_name = "{name}"'))
    assert told.startswith(f"{config}:16: sms[0].brand_name: expected a name as operators register them")


def test_a_path_that_may_be_left_out_belongs_to_the_file_that_names_it_too(config: Path) -> None:
    (config.parent / "ca.pem").touch()
    settings = load_settings(
        with_account(config, 'tls = true\ntls_authorities = "ca.pem"\n[redis]\nca_file = "ca.pem"')
    )
    assert settings.sms[0].tls_authorities == settings.redis.ca_file == config.parent / "ca.pem"


def test_a_senders_name_has_eleven_characters_at_most(config: Path) -> None:
    (told,) = faults(with_account(config, 'brand_name = "UBND tinh H51"'))
    assert told.startswith(f"{config}:16: sms[0].brand_name: ")


@pytest.mark.parametrize("key", ["tls_authorities", "tls_certificate", "tls_key", "tls_host_name"])
def test_what_tls_needs_is_a_fault_where_nothing_would_be_encrypted(config: Path, key: str) -> None:
    (config.parent / "some.pem").touch()
    (told,) = faults(with_account(config, f'{key} = "some.pem"'))
    assert told == f"{config}:16: sms[0].{key}: is of no use without tls = true, and nothing would be encrypted"


def test_a_certificate_of_ours_comes_with_its_key(config: Path) -> None:
    (config.parent / "our.pem").write_text("-----BEGIN CERTIFICATE-----", encoding="utf-8")
    (told,) = faults(with_account(config, 'tls = true\ntls_certificate = "our.pem"'))
    assert told.startswith(f"{config}:17: sms[0].tls_certificate: expected tls_key beside it")
    (config.parent / "our.pem").write_text("-----BEGIN PRIVATE KEY-----", encoding="utf-8")
    assert load_settings(config).sms[0].tls_certificate == config.parent / "our.pem"


def test_a_key_of_ours_comes_with_its_certificate(config: Path) -> None:
    (config.parent / "our.key").touch()
    (told,) = faults(with_account(config, 'tls = true\ntls_key = "our.key"'))
    assert told == f"{config}:17: sms[0].tls_key: expected tls_certificate beside it"


def test_a_certificate_that_is_not_there_is_one_fault(config: Path) -> None:
    (told,) = faults(with_account(config, 'tls = true\ntls_certificate = "nowhere.pem"'))
    assert told.startswith(f"{config}:17: sms[0].tls_certificate: there is no file ")


def test_the_binds_of_the_example_for_production_are_sound(tmp_path: Path, config: Path) -> None:
    (tmp_path / "smsc-ca.pem").touch()
    text = (CONFIG_DIRECTORY / "production.example.toml").read_text(encoding="utf-8")
    lines = text.partition("# brand_name = ")[2].partition("\n# [[telegram]]")[0]
    account = load_settings(with_account(config, f"brand_name = {lines}".replace("\n# ", "\n"))).sms[0]
    assert [(bind.mode, bind.count) for bind in account.bind] == [("transmitter", 2), ("receiver", 1)]
    assert (account.tls, account.tls_authorities) == (True, tmp_path / "smsc-ca.pem")
    assert (account.segmentation, account.message_ids) == ("sar", "hex-then-decimal")
