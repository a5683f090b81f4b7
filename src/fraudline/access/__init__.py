"""API keys: who may ask this project for what.

Takes a name and a role, gives a key once, and keeps its digest. Tells of a key that somebody shows
whose it is. Never keeps a key itself, never sees a request.
"""

from fraudline.access.api_keys import ApiKey, ApiKeys, IssuedKey
from fraudline.access.key_roles import Role

__all__ = ["ApiKey", "ApiKeys", "IssuedKey", "Role"]
