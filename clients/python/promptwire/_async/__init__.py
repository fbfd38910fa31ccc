"""The async client; its sync twin in _sync is generated from here."""
