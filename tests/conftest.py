"""Settings of every test."""

from hypothesis import HealthCheck, settings

# No timing is asserted in a test of properties, and a busy machine or an old processor is slow.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")
