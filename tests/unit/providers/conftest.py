"""Settings of the property tests."""

import hypothesis

hypothesis.settings.register_profile("unit", deadline=None)  # the cores are shared: time says nothing
hypothesis.settings.load_profile("unit")
