"""What holds for all suites: that examples are slow to make tells of a busy machine, not of a fault."""

from hypothesis import HealthCheck, settings

settings.register_profile("mizzen", suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("mizzen")
