"""`team.toml`: who gets which role, and what happens when the file is wrong."""

from __future__ import annotations

import pytest

from engine.store.errors import ErsatzError
from engine.store.home import Home
from engine.store.roles import TEAM_FILE, Role, Team, read_team


def written(home: Home, text: str) -> Team:
    home.root.mkdir(exist_ok=True)
    (home.root / TEAM_FILE).write_text(text)
    return read_team(home)


def test_without_a_file_or_without_a_name_in_it_nobody_has_a_role(home: Home) -> None:
    assert read_team(home).role("anna@clinic.example") is None
    assert written(home, "").role("anna@clinic.example") is None


def test_an_address_beats_its_domain_and_the_higher_role_wins(home: Home) -> None:
    team = written(
        home,
        'default = "viewer"\n[roles]\neditor = ["Anna@clinic.example"]\n'
        'reviewer = ["@clinic.example", "anna@clinic.example"]\nviewer = ["guest@clinic.example"]\n',
    )
    asked = ("ANNA@clinic.example", "bo@clinic.example", "guest@clinic.example", "bo@not-clinic.example")
    assert [team.role(one) for one in asked] == [Role.EDITOR, Role.REVIEWER, Role.VIEWER, Role.VIEWER]
    outsiders = (
        "bo@sub.clinic.example",
        "@clinic.example@other.example",
        "clinic.example",
        "",
        "bo@\u212alinic.example",
    )
    assert {team.role(one) for one in outsiders} == {Role.VIEWER}


def test_a_letter_that_only_turns_into_one_of_ours_is_another_person(home: Home) -> None:
    team = written(home, '[roles]\neditor = ["kim@clinic.example"]\n')
    assert (team.role("KIM@clinic.example"), team.role("\u212aim@clinic.example")) == (Role.EDITOR, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[roles", "cannot be read as TOML"),
        ("\0", "cannot be read as TOML"),
        ('role = "editor"', "it has role"),
        ('default = "admin"', "its default is 'admin'"),
        ("default = 2", "its default is 2"),
        ('[roles]\nadmin = ["a@b.example"]', "its roles are not those there are"),
        ('[roles]\neditor = "a@b.example"', "editor is not a list"),
        ('[roles]\neditor = ["anna"]', "editor is not a list"),
    ],
)
def test_a_wrong_file_is_one_sentence_and_gives_nobody_a_role(home: Home, text: str, said: str) -> None:
    with pytest.raises(ErsatzError, match="gives nobody a role") as raised:
        written(home, text)
    assert said in str(raised.value)
