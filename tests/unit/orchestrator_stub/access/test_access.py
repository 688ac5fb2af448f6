# SPDX-License-Identifier: Apache-2.0
"""Access: logins, sessions, bearer tokens, and what each caller may do where."""

from __future__ import annotations

import logging
import secrets
from dataclasses import replace

import argon2
import pytest
from sqlalchemy import func, select

from orchestrator_stub.access import callers, operators, sessions, tokens
from orchestrator_stub.access.access import Access, Browser, Login
from orchestrator_stub.access.callers import Caller
from orchestrator_stub.access.passwords import Passwords
from orchestrator_stub.access.sessions import IDLE_S, MOST_OF_ONE, MOST_S, USED_EVERY_S, Opened
from orchestrator_stub.access.throttle import OF_NAME
from orchestrator_stub.database import Database
from orchestrator_stub.errors import Code, OrchestratorError, ThrottledError
from orchestrator_stub.records import ApiToken, Operator, OperatorSession, Project
from orchestrator_stub.vocabulary import Scope
from tests.unit.orchestrator_stub.access.given import (
    API_TOKEN,
    ELSEWHERE,
    HOME,
    MINE,
    NOW_S,
    PASSWORD,
    THEIRS,
    Clock,
)

LOGIN = Login("ada", PASSWORD, HOME)


def opened_by(access: Access, now_s: int = NOW_S, cookie: str = "") -> Opened:
    return access.log_in(replace(LOGIN, cookie=cookie), now_s)


def browser_of(access: Access, opened: Opened, now_s: int = NOW_S) -> Browser:
    browser = access.browser(opened.cookie, now_s)
    assert browser is not None
    return browser


def refusal(access: Access, login: Login) -> OrchestratorError:
    with pytest.raises(OrchestratorError) as caught:
        access.log_in(login, NOW_S)
    return caught.value


def token_of(
    database: Database, scope: Scope, project_uuid: str = MINE, until_s: int = NOW_S + 60
) -> str:
    with database.writing() as session:
        project = session.get(Project, project_uuid)
        assert project is not None
        return tokens.issue(session, project, f"t-{secrets.token_hex(4)}", scope, until_s).token


# --- logging in


@pytest.mark.parametrize("name", ["ada", "Ada", " ADA "])
def test_login_opens_a_session_for_its_operator(access: Access, ada: str, name: str) -> None:
    browser = browser_of(access, access.log_in(replace(LOGIN, name=name), NOW_S))
    assert (browser.caller.kind, browser.caller.name) == (callers.CallerKind.OPERATOR, ada)
    assert browser.caller.scopes == {MINE: Scope.WRITE}
    assert browser.time_zone == "UTC"


def test_wrong_name_and_wrong_password_are_told_alike(access: Access, ada: str) -> None:
    wrong = [replace(LOGIN, name="eve"), replace(LOGIN, password="x"), replace(LOGIN, name="")]
    told = {(error.code, str(error), error.hint) for error in (refusal(access, w) for w in wrong)}
    assert len(told) == 1
    assert next(iter(told))[0] is Code.UNAUTHENTICATED


def test_login_is_throttled_by_name_and_by_address_alike_for_all_names(
    access: Access, ada: str, clock: Clock
) -> None:
    for name in ("ada", "nobody"):
        login = Login(name, "wrong", f"192.0.2.{ord(name[0])}")
        for _ in range(OF_NAME.free):
            assert refusal(access, login).code is Code.UNAUTHENTICATED
        error = refusal(access, login)
        assert isinstance(error, ThrottledError)
        assert error.retry_after_s == 1
    right = replace(LOGIN, address=ELSEWHERE)
    assert isinstance(refusal(access, right), ThrottledError)
    clock.now += 1
    access.log_in(right, NOW_S)


def test_password_is_hashed_anew_when_the_parameters_have_risen(
    database: Database, access: Access, ada: str
) -> None:
    stronger = Passwords(argon2.PasswordHasher(time_cost=2, memory_cost=64, parallelism=1))
    opened_by(Access(database, API_TOKEN, stronger))
    with database.reading() as session:
        stored = operators.get(session, ada).password_hash
    assert not stronger.is_outdated(stored)
    opened_by(Access(database, API_TOKEN, stronger))


def test_stored_session_holds_no_secret_of_the_browser(
    database: Database, access: Access, ada: str
) -> None:
    opened = opened_by(access)
    with database.reading() as session:
        (row,) = session.scalars(select(OperatorSession))
        assert opened.cookie not in {str(value) for value in vars(row).values()}
    assert len(opened.cookie) >= 43, "less than 256 bits"


def test_nothing_shows_a_secret_of_itself(
    access: Access, database: Database, ada: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    opened = opened_by(access)
    browser = browser_of(access, opened)
    token = token_of(database, Scope.READ)
    login = Login("my pass phrase", "and the rest of it", HOME, opened.cookie)
    refusal(access, login)
    for wrong in ("puad_wrong", token + "x", "y" + API_TOKEN):
        with pytest.raises(OrchestratorError) as caught:
            access.bearer(f"Bearer {wrong}", NOW_S)
        assert wrong not in str(caught.value)
    shown = repr((opened, browser, login, access, access.bearer(f"Bearer {token}", NOW_S)))
    shown += caplog.text
    secret = [opened.cookie, opened.csrf_token, browser.token_hash, token, API_TOKEN, PASSWORD]
    assert not [word for word in secret if word in shown]
    assert "and the rest" not in shown
    assert "my pass phrase" not in caplog.text, "a password in the field of the name"
    assert "operator ada has logged in from 192.0.2.1" in caplog.text


# --- sessions


def test_session_has_a_new_id_at_each_login_and_the_old_one_ends(access: Access, ada: str) -> None:
    first = opened_by(access)
    second = opened_by(access, cookie=first.cookie)
    assert second.cookie != first.cookie
    assert second.csrf_token != first.csrf_token
    assert access.browser(first.cookie, NOW_S) is None
    assert access.browser(second.cookie, NOW_S) is not None


def test_id_that_somebody_planted_never_becomes_a_session(access: Access, ada: str) -> None:
    planted = "p" * 43
    opened = opened_by(access, cookie=planted)
    assert opened.cookie != planted
    assert access.browser(planted, NOW_S) is None


@pytest.mark.parametrize("cookie", [None, "", "x", "x" * 43, "\udc80", "é", "x" * 100_000])
def test_cookie_that_is_none_is_nobody(access: Access, ada: str, cookie: str | None) -> None:
    assert access.browser(cookie, NOW_S) is None
    access.log_out(cookie)


def test_session_ends_when_it_is_not_used(access: Access, ada: str) -> None:
    opened = opened_by(access)
    now_s = NOW_S
    for _ in range(5):
        now_s += IDLE_S - 1
        assert access.browser(opened.cookie, now_s) is not None
    assert access.browser(opened.cookie, now_s + IDLE_S) is None


def test_session_ends_after_a_week_however_much_it_is_used(access: Access, ada: str) -> None:
    opened = opened_by(access)
    for now_s in range(NOW_S, NOW_S + MOST_S, IDLE_S // 2):
        assert access.browser(opened.cookie, now_s) is not None
    assert access.browser(opened.cookie, NOW_S + MOST_S) is None


def test_use_is_written_now_and_then_only(database: Database, access: Access, ada: str) -> None:
    def used_s() -> int:
        with database.reading() as session:
            return session.scalars(select(OperatorSession.used_s)).one()

    opened = opened_by(access)
    browser_of(access, opened, NOW_S + USED_EVERY_S - 1)
    assert used_s() == NOW_S
    browser_of(access, opened, NOW_S + USED_EVERY_S)
    assert used_s() == NOW_S + USED_EVERY_S


def test_logout_ends_this_session_only(access: Access, ada: str) -> None:
    here, there = opened_by(access), opened_by(access)
    access.log_out(here.cookie)
    assert access.browser(here.cookie, NOW_S) is None
    assert access.browser(there.cookie, NOW_S) is not None


def test_sessions_that_have_ended_and_too_many_are_forgotten(
    database: Database, access: Access, ada: str
) -> None:
    old = opened_by(access)
    later_s = NOW_S + IDLE_S
    for number in range(MOST_OF_ONE + 3):
        newest = opened_by(access, later_s + number)
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(OperatorSession)) == MOST_OF_ONE
    assert access.browser(old.cookie, later_s) is None
    assert access.browser(newest.cookie, later_s + MOST_OF_ONE) is not None


def test_chosen_project_is_remembered_when_it_exists_for_the_operator(
    access: Access, ada: str
) -> None:
    opened = opened_by(access)
    browser = browser_of(access, opened)
    assert browser.project_uuid is None
    access.choose(browser, MINE)
    assert browser_of(access, opened).project_uuid == MINE
    with pytest.raises(OrchestratorError) as caught:
        access.choose(browser, THEIRS)
    assert caught.value.code is Code.NOT_FOUND
    assert browser_of(access, opened).project_uuid == MINE


def test_choice_after_the_logout_changes_nothing(access: Access, ada: str) -> None:
    opened = opened_by(access)
    browser = browser_of(access, opened)
    access.log_out(opened.cookie)
    access.choose(browser, MINE)
    assert access.browser(opened.cookie, NOW_S) is None


# --- passwords that change


def test_password_change_ends_every_other_session(access: Access, ada: str) -> None:
    here, there = opened_by(access), opened_by(access)
    access.change_password(browser_of(access, here), LOGIN, "nine blue submarines")
    assert access.browser(here.cookie, NOW_S) is not None
    assert access.browser(there.cookie, NOW_S) is None
    assert refusal(access, LOGIN).code is Code.UNAUTHENTICATED
    access.log_in(replace(LOGIN, password="nine blue submarines"), NOW_S)


def test_password_change_needs_the_present_one_and_is_throttled(
    access: Access, ada: str, clock: Clock
) -> None:
    browser = browser_of(access, opened_by(access))
    wrong = replace(LOGIN, password="wrong")
    codes = []
    for _ in range(7):
        with pytest.raises(OrchestratorError) as caught:
            access.change_password(browser, wrong, "nine blue submarines")
        codes.append(caught.value.code)
    assert set(codes) == {Code.UNAUTHENTICATED, Code.RESOURCE_EXHAUSTED}
    clock.now += 60
    with pytest.raises(OrchestratorError) as caught:
        access.change_password(browser, LOGIN, "short")
    assert caught.value.code is Code.INVALID_ARGUMENT
    access.log_in(LOGIN, NOW_S)


def test_password_that_changes_while_it_is_verified_opens_nothing(
    database: Database, passwords: Passwords, ada: str
) -> None:
    class Slow(Passwords):
        def is_right(self, stored: str | None, password: str) -> bool:
            right = passwords.is_right(stored, password)
            with database.writing() as session:
                operator = operators.get(session, ada)
                operators.set_password(session, operator, passwords.hash_of("another one"))
            return right

        def is_outdated(self, stored: str) -> bool:
            return False

    assert refusal(Access(database, API_TOKEN, Slow()), LOGIN).code is Code.UNAUTHENTICATED
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(OperatorSession)) == 0


# --- operators


def test_operator_who_is_removed_or_dismissed_is_out_at_once(
    database: Database, access: Access, ada: str
) -> None:
    opened = opened_by(access)
    with database.writing() as session:
        project = session.get(Project, MINE)
        assert project is not None
        operators.dismiss(session, operators.get(session, ada), project)
    assert browser_of(access, opened).caller.scopes == {}
    with database.writing() as session:
        operators.remove(session, operators.get(session, ada))
    assert access.browser(opened.cookie, NOW_S) is None
    assert refusal(access, LOGIN).code is Code.UNAUTHENTICATED


def test_membership_is_made_and_changed(database: Database, access: Access, ada: str) -> None:
    opened = opened_by(access)

    def admit(scope: Scope) -> bool:
        with database.writing() as session:
            project = session.get(Project, THEIRS)
            assert project is not None
            return operators.admit(session, operators.get(session, ada), project, scope)

    assert admit(Scope.READ)
    assert not admit(Scope.READ)
    assert browser_of(access, opened).caller.scopes == {MINE: Scope.WRITE, THEIRS: Scope.READ}
    assert admit(Scope.WRITE)
    assert browser_of(access, opened).caller.scopes[THEIRS] is Scope.WRITE


@pytest.mark.parametrize("name", ["", "a b", "../x", "x" * 65, "-x", "é", "a\nb", "<b>"])
def test_name_that_could_be_mistaken_is_refused(database: Database, name: str) -> None:
    with database.writing() as session, pytest.raises(OrchestratorError) as caught:
        operators.add(session, name, "hash")
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_name_is_taken_however_it_is_written(database: Database, ada: str) -> None:
    with database.writing() as session, pytest.raises(OrchestratorError) as caught:
        operators.add(session, "ADA", "hash")
    assert caught.value.code is Code.ALREADY_EXISTS
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Operator)) == 1


# --- bearer tokens, and what a caller may do


def test_api_token_of_the_data_directory_may_write_everywhere(access: Access) -> None:
    for header in (f"Bearer {API_TOKEN}", f"bearer   {API_TOKEN} "):
        caller = access.bearer(header, NOW_S)
        assert all(caller.may(scope, uuid) for scope in Scope for uuid in (MINE, THEIRS, "any"))


@pytest.mark.parametrize(("scope", "may_write"), [(Scope.READ, False), (Scope.WRITE, True)])
def test_api_token_opens_one_project_with_its_scope(
    database: Database, access: Access, scope: Scope, may_write: bool
) -> None:
    caller = access.bearer(f"Bearer {token_of(database, scope)}", NOW_S)
    assert caller.may(Scope.READ, MINE)
    assert caller.may(Scope.WRITE, MINE) is may_write
    assert not any(caller.may(wanted, THEIRS) for wanted in Scope)


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (None, "is needed"),
        ("", "is needed"),
        ("Bearer", "is needed"),
        ("Bearer ", "is needed"),
        ("Basic eDp5", "is needed"),
        (f"Token {API_TOKEN}", "is needed"),
        (f"Bearer {API_TOKEN}x", "no such"),
        (f"Bearer {API_TOKEN[:-1]}", "no such"),
        ("Bearer puad_", "no such"),
        (f"Bearer puad_{'x' * 43}", "no such"),
        ("Bearer \udc80", "no such"),
    ],
)
def test_header_without_a_valid_token_is_nobody(
    access: Access, header: str | None, told: str
) -> None:
    with pytest.raises(OrchestratorError, match=told) as caught:
        access.bearer(header, NOW_S)
    assert caught.value.code is Code.UNAUTHENTICATED
    assert "`puad-orchestrator token add`" in caught.value.hint


def test_api_token_ends_with_its_time_and_with_its_revocation(
    database: Database, access: Access
) -> None:
    token = token_of(database, Scope.READ, until_s=NOW_S + 60)
    access.bearer(f"Bearer {token}", NOW_S + 59)
    with pytest.raises(OrchestratorError, match="expired"):
        access.bearer(f"Bearer {token}", NOW_S + 60)
    with database.writing() as session:
        project = session.get(Project, MINE)
        assert project is not None
        (row,) = session.scalars(select(ApiToken))
        assert token not in {str(value) for value in vars(row).values()}
        assert tokens.revoke(session, project, row.name) == row.id
    with pytest.raises(OrchestratorError, match="no such"):
        access.bearer(f"Bearer {token}", NOW_S)


def test_api_token_is_made_once_for_a_name_and_revoked_in_its_project(database: Database) -> None:
    def both() -> tuple[Project, Project]:
        mine, theirs = session.get(Project, MINE), session.get(Project, THEIRS)
        assert mine is not None
        assert theirs is not None
        return mine, theirs

    with database.writing() as session:
        mine, theirs = both()
        issued = tokens.issue(session, mine, "ci", Scope.READ, NOW_S)
        other = tokens.issue(session, theirs, "ci", Scope.READ, NOW_S)
        assert issued.token.startswith("puad_")
        assert issued.token != other.token
        with pytest.raises(OrchestratorError) as caught:
            tokens.issue(session, mine, "ci", Scope.WRITE, NOW_S)
        assert caught.value.code is Code.ALREADY_EXISTS
        with pytest.raises(OrchestratorError) as caught:
            tokens.issue(session, mine, "a b", Scope.WRITE, NOW_S)
        assert caught.value.code is Code.INVALID_ARGUMENT
    with database.writing() as session:
        mine, theirs = both()
        with pytest.raises(OrchestratorError) as caught:
            tokens.revoke(session, mine, other.token_id)
        assert caught.value.code is Code.NOT_FOUND
        assert tokens.revoke(session, theirs, other.token_id) == other.token_id


def caller_of(scopes: dict[str, Scope]) -> Caller:
    return Caller(callers.CallerKind.OPERATOR, "ada", scopes)


@pytest.mark.parametrize("named", ["mine", MINE, MINE.upper()])
def test_project_is_found_by_name_and_by_uuid(database: Database, named: str) -> None:
    caller = caller_of({MINE: Scope.READ})
    with database.reading() as session:
        assert callers.project_for(session, caller, named, Scope.READ).uuid == MINE
        with pytest.raises(OrchestratorError) as caught:
            callers.project_for(session, caller, named, Scope.WRITE)
        assert caught.value.code is Code.PERMISSION_DENIED


def test_project_of_others_is_told_like_one_that_is_not_there(database: Database) -> None:
    caller = caller_of({MINE: Scope.WRITE})
    told = set()
    with database.reading() as session:
        for named in ("theirs", THEIRS, "none", "", "cccccccc-0000-4000-8000-000000000003"):
            for scope in Scope:
                with pytest.raises(OrchestratorError) as caught:
                    callers.project_for(session, caller, named, scope)
                told.add((caught.value.code, str(caught.value)))
    assert told == {(Code.NOT_FOUND, "there is no such project")}


def test_projects_of_a_caller_are_those_that_exist_for_them(database: Database) -> None:
    def names(caller: Caller) -> list[str]:
        with database.reading() as session:
            return [project.name for project in callers.projects_of(session, caller)]

    assert names(caller_of({THEIRS: Scope.READ})) == ["theirs"]
    assert names(callers.OWNER) == ["mine", "theirs"]
    assert names(caller_of({})) == []


@pytest.mark.parametrize(
    ("method", "scope"),
    [("GET", Scope.READ), ("head", Scope.READ), ("OPTIONS", Scope.READ)]
    + [(method, Scope.WRITE) for method in ("POST", "PUT", "PATCH", "DELETE", "BREW", "")],
)
def test_reading_needs_read_and_everything_else_write(method: str, scope: Scope) -> None:
    assert callers.scope_of(method) is scope


def test_sessions_module_bounds_are_those_that_are_documented() -> None:
    assert (sessions.IDLE_S, sessions.MOST_S) == (12 * 3600, 7 * 24 * 3600)
