"""Secrets, and those that change."""

import pytest

from promptwire_server.core.secret import Credential, Reference, Secret

AT = Reference("vault", "kv/openai", "key")


def test_a_credential_gives_its_present_value_and_the_same_object_until_it_changes() -> None:
    credential = Credential(AT, "sk-1")
    assert credential.reveal() is credential.reveal()
    credential.renew("sk-2")
    assert credential.reveal() == "sk-2"


def test_a_credential_that_was_not_fetched_is_never_taken_for_an_empty_one() -> None:
    credential = Credential(AT)
    assert not credential.known
    for use in (credential.reveal, credential.__len__):
        with pytest.raises(LookupError, match="vault:kv/openai#key was not fetched yet"):
            use()
    assert credential != Secret("")
    assert Secret("") != credential
    assert credential == credential  # noqa: PLR0124 - it is compared when settings are


def test_nothing_shows_itself() -> None:
    credential = Credential(AT, "sk-1")
    shown = "".join(f"{each!r} {each} {each!s}" for each in (credential, Secret("sk-1")))
    assert "sk-1" not in shown
    assert "vault:kv/openai#key" in repr(credential)


def test_what_changes_is_no_key_of_a_mapping() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(Credential(AT, "sk-1"))


def test_a_credential_equals_a_secret_of_the_same_text() -> None:
    assert Credential(AT, "sk-1") == Secret("sk-1")
    assert Secret("sk-1") == Credential(AT, "sk-1")
    assert Credential(AT, "sk-1") != Secret("sk-2")
