"""The certificate of a port: a pair that fits is taken up, any other leaves the one of before in use."""

from pathlib import Path

import pytest
import trustme
from mizzen_kube.tls_secret import Certificate
from mizzen_operator.operation import certificate_in
from mizzen_operator.settings import SettingError
from support.certificates import write_pair


@pytest.mark.parametrize("renewed", ["tls.crt", "tls.key"])
def test_half_a_renewed_pair_waits_for_the_other_half(tmp_path: Path, renewed: str) -> None:
    authority = trustme.CA()
    write_pair(authority, tmp_path)
    certificate = Certificate(tmp_path)
    assert certificate.renew() is False
    write_pair(authority, tmp_path, renewed)
    assert certificate.renew() is False
    write_pair(authority, tmp_path)
    assert certificate.renew() is True
    assert certificate.renew() is False


def test_a_folder_without_a_pair_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"MIZZEN_TLS_DIR: .* has no usable pair of tls\.crt and tls\.key"):
        certificate_in(tmp_path)
