"""Write the application's users as `corgictl user import` reads them."""

import json
import sys

from app import USERS

for name, password_hash in USERS.items():
    json.dump({"username": name, "hash": password_hash}, sys.stdout)
    print()
