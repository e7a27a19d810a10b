"""A public key is trusted only where nobody can sign for it but who has the private half."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from mizzen_controlplane.models.signing.public_key import (
    NoPublicKeyError,
    fingerprint_of,
    made_by,
    pem_of,
    public_key_of,
    signature_of,
)

ORDER_8 = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
PRIME = "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"


def test_pem_der_and_raw_bytes_are_the_same_key() -> None:
    public = Ed25519PrivateKey.generate().public_key()
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    forms = [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        base64.b64encode(der).decode(),
        base64.b64encode(public.public_bytes_raw()).decode() + "\n",
        pem_of(public.public_bytes_raw().hex()),
    ]
    assert {fingerprint_of(public_key_of(form)) for form in forms} == {fingerprint_of(public)}


@pytest.mark.parametrize("point", ["00" * 32, "01" + "00" * 31, ORDER_8, PRIME], ids=["4", "1", "8", "not canonical"])
def test_a_key_that_anybody_can_sign_for_is_refused(point: str) -> None:
    with pytest.raises(NoPublicKeyError):
        public_key_of(base64.b64encode(bytes.fromhex(point)).decode())


@pytest.mark.parametrize(
    "text", ["", "x", "schlüssel", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "AA=="]
)
def test_what_is_no_key_is_refused_with_the_command_that_writes_one(text: str) -> None:
    with pytest.raises(NoPublicKeyError, match="openssl pkey"):
        public_key_of(text)


def test_a_key_of_another_kind_is_refused() -> None:
    public = generate_private_key(SECP256R1()).public_key()
    with pytest.raises(NoPublicKeyError, match="another kind"):
        public_key_of(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


def test_a_signature_holds_for_its_key_and_its_statement_alone() -> None:
    private = Ed25519PrivateKey.generate()
    public, signature = private.public_key().public_bytes_raw().hex(), private.sign(b"statement")
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw().hex()
    assert made_by(public, signature, b"statement")
    assert not made_by(public, signature, b"another")
    assert not made_by(other, signature, b"statement")


@pytest.mark.parametrize("text", ["", "x", "ü", base64.b64encode(bytes(63)).decode()])
def test_what_is_no_signature_is_none(text: str) -> None:
    assert signature_of(text) is None
