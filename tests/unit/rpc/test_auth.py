"""Who asks."""

import grpc
import pytest

from promptwire import v1 as pb
from promptwire_server.core.call import ANONYMOUS, Principal
from promptwire_server.core.errors import CredentialInvalid
from promptwire_server.rpc.auth import ApiKey, Authenticator
from promptwire_server.rpc.exchange import Exchange
from tests.unit.rpc.edge import Running, Serve
from tests.unit.rpc.wire import failure

KEY = ApiKey(name="app", tenant="acme", key="pw-secret-1")
APP = Principal(tenant="acme", name="app", api_key_id="app")


@pytest.fixture
def keys() -> Authenticator:
    return Authenticator([KEY, ApiKey(name="other", tenant="beta", key="pw-secret-2")])


def test_renewed_keys_are_let_in_and_the_old_ones_no_more(keys: Authenticator) -> None:
    keys.renew([ApiKey(name="app", tenant="acme", key="pw-renewed")])
    assert keys.principal({"x-api-key": "pw-renewed"}, None) == APP
    for old in ("pw-secret-1", "pw-secret-2"):
        with pytest.raises(CredentialInvalid):
            keys.principal({"x-api-key": old}, None)


def test_how_urgent_calls_may_be_goes_with_the_key() -> None:
    batch = ApiKey(name="batch", tenant="acme", key="pw-secret-3", max_priority=pb.PRIORITY_LOW)
    assert Authenticator([batch]).principal({"x-api-key": "pw-secret-3"}, None).max_priority == pb.PRIORITY_LOW


@pytest.mark.parametrize(
    "metadata",
    [
        {"authorization": "Bearer pw-secret-1"},
        {"authorization": "bearer pw-secret-1"},
        {"authorization": "BEARER  pw-secret-1 "},
        {"x-api-key": "pw-secret-1"},
        {"authorization": "Basic Zm9v", "x-api-key": "pw-secret-1"},
        {"authorization": "Bearer ", "x-api-key": "pw-secret-1"},
    ],
)
def test_a_known_key_says_who_asks(keys: Authenticator, metadata: dict[str, str]) -> None:
    assert keys.principal(metadata, None) == APP


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"authorization": ""},
        {"authorization": "pw-secret-1"},
        {"authorization": "Bearer"},
        {"authorization": "Bearer pw-secret"},
        {"authorization": "Bearer pw-secret-1x"},
        {"authorization": "Basic pw-secret-1"},
        {"x-api-key": "PW-SECRET-1"},
        {"x-api-key": "pw-secret-é"},
    ],
)
def test_anything_else_is_refused_without_repeating_it(keys: Authenticator, metadata: dict[str, str]) -> None:
    with pytest.raises(CredentialInvalid) as caught:
        keys.principal(metadata, None)
    assert "pw-secret" not in str(caught.value) + repr(caught.value.metadata)


def test_a_certificate_does_not_stand_in_for_a_key(keys: Authenticator) -> None:
    with pytest.raises(CredentialInvalid):
        keys.principal({}, "client.example")


def test_without_keys_everybody_is_anonymous() -> None:
    assert not Authenticator().required
    assert Authenticator().principal({}, None) == ANONYMOUS


def test_without_keys_a_certificate_says_who_asks() -> None:
    certified = Authenticator(certificates=True)
    assert certified.required
    assert certified.principal({}, "client.example") == Principal(tenant="default", name="client.example")


@pytest.mark.parametrize("name", [None, ""])
def test_a_certificate_without_a_name_is_refused(name: str | None) -> None:
    with pytest.raises(CredentialInvalid):
        Authenticator(certificates=True).principal({}, name)


def test_a_key_does_not_show_itself(keys: Authenticator) -> None:
    assert "pw-secret" not in repr(KEY) + str(KEY) + repr(keys) + repr(vars(keys))


@pytest.fixture
async def guarded(serve: Serve, keys: Authenticator) -> Running:
    async def who(request: pb.ChatRequest, exchange: Exchange) -> pb.ChatResponse:
        return pb.ChatResponse(text=f"{exchange.principal.tenant}/{exchange.principal.name}")

    return await serve(Chat=who, authenticator=keys)


async def test_the_principal_of_a_call_comes_from_its_key(guarded: Running) -> None:
    assert (await guarded.chat(metadata=[("authorization", "Bearer pw-secret-1")])).text == "acme/app"


@pytest.mark.parametrize("metadata", [[], [("authorization", "Bearer pw-secret-9")]], ids=["none", "wrong"])
async def test_a_call_without_a_known_key_is_unauthenticated(guarded: Running, metadata: list[tuple[str, str]]) -> None:
    failed = await failure(guarded.chat(metadata=metadata))
    assert (failed.code, failed.reason, failed.details.pushback) == (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIAL_INVALID", "-1")
    assert "pw-secret" not in failed.message + str(failed.details)


def test_a_key_of_no_tenant_is_an_operators() -> None:
    keys = Authenticator([KEY, ApiKey(name="ops", tenant=None, key="pw-secret-3")])
    assert keys.principal({"x-api-key": "pw-secret-3"}, None) == Principal(tenant="", name="ops", operator=True, api_key_id="ops")
    assert not keys.principal({"x-api-key": "pw-secret-1"}, None).operator


def test_without_keys_everybody_may_be_an_operator_but_only_where_that_is_said() -> None:
    local = Authenticator(anonymous=Principal("default", "anonymous", operator=True))
    assert (local.principal({}, None).operator, Authenticator().principal({}, None).operator) == (True, False)
    assert not Authenticator(certificates=True).principal({}, "client.example").operator
