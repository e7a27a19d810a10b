"""The digest of a secret is HMAC-SHA256, whatever the pepper's length."""

import hmac
import random

from mizzen_gateway.auth.key_digest import keyed_digest


def test_it_is_what_the_standard_library_computes() -> None:
    seed = 20260101
    print("seed", seed)
    chance = random.Random(seed)
    for length in (0, 1, 31, 63, 64, 65, 200):
        pepper = chance.randbytes(length)
        digest_of = keyed_digest(pepper)
        for size in (0, 43, 500):
            secret = chance.randbytes(size)
            assert digest_of(secret) == hmac.digest(pepper, secret, "sha256") == digest_of(secret)
