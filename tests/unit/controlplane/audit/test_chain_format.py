"""An event is verified by the format it was made in; what is personal stands outside of what the hash is over."""

import hashlib
import json

import pytest
from mizzen_controlplane.audit.chain_format import GENESIS, UnknownFormatError, commitment, hash_of
from mizzen_controlplane.audit.personal_data import Parted
from mizzen_controlplane.audit.record import Trace, chain_fields, chained
from mizzen_controlplane.kit.request_context import begin_request
from support.audit_chains import OF_FORMAT_1


def test_an_event_of_format_1_has_the_hash_it_always_had() -> None:
    plain = json.dumps(OF_FORMAT_1, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert hash_of(OF_FORMAT_1) == hashlib.sha256(plain).hexdigest()
    newer_columns = {**OF_FORMAT_1, "format": 1, "commitments": [], "hash": "ignored"}
    assert hash_of(newer_columns) == hash_of(OF_FORMAT_1)


def test_an_event_of_a_newer_release_is_told_by_its_format() -> None:
    with pytest.raises(UnknownFormatError, match="format 9"):
        hash_of({**OF_FORMAT_1, "format": 9})


def test_names_and_addresses_stand_beside_the_event_and_the_chain_commits_to_them() -> None:
    begin_request("", "192.0.2.7")
    after = {"email": "ada@example.org", "roles": ["viewer"], "note": "asked by bob@example.org"}
    event, personal = chained(Trace("person:1", "persons.create", "per_2", "ada@example.org", after=after), 1, GENESIS)
    begin_request("")
    assert (event.resource_name, event.after) == (
        "[personal]",
        {"email": "[personal]", "roles": ["viewer"], "note": "[personal]"},
    )
    assert [(each.person, each.content) for each in personal] == [
        ("person:1", {"address": "192.0.2.7"}),
        (
            "per_2",
            {
                "resource_name": "ada@example.org",
                "after/email": "ada@example.org",
                "after/note": "asked by bob@example.org",
            },
        ),
    ]
    assert event.commitments == [commitment(each.salt, each.content) for each in personal]
    assert event.hash == hash_of(chain_fields(event))
    assert event.hash != hash_of({**chain_fields(event), "commitments": event.commitments[::-1]})


def test_two_commitments_to_the_same_text_are_not_alike() -> None:
    begin_request("", "192.0.2.7")
    pair = [chained(Trace("person:1", "keys.create", "key_1"), 1, GENESIS)[0] for _ in range(2)]
    begin_request("")
    assert pair[0].commitments != pair[1].commitments


def test_the_name_of_a_person_is_personal_and_that_of_a_key_is_not() -> None:
    names = {"name": "Ada", "subject": "4711"}
    about, personal = chained(Trace("admin", "persons.change", "per_1", "Ada", after=names, person="per_1"), 1, GENESIS)
    assert (about.resource_name, about.after) == ("[personal]", {"name": "[personal]", "subject": "[personal]"})
    assert [each.person for each in personal] == ["per_1"]
    key, beside = chained(Trace("admin", "keys.create", "key_1", "Ada", after=names), 1, GENESIS)
    assert (key.resource_name, key.after, beside) == ("Ada", names, [])


def test_what_is_deep_inside_or_empty_is_told_apart_too() -> None:
    parted = Parted()
    assert parted.body("after", {"who": [{"display_name": "Ada", "phone": ""}]}) == {
        "who": [{"display_name": "[personal]", "phone": ""}]
    }
    assert parted.personal == {"after/who/0/display_name": "Ada"}
