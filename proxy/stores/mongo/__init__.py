"""The store on MongoDB: documents with `_cf`, native conditional updates, a fence, and the control store."""

import sys

# PyMongo looks whether PyOpenSSL is there, which its asynchronous clients never use, and loads most of
# `cryptography` on the way: a tenth of a start.
sys.modules.setdefault("pymongo.pyopenssl_context", None)  # type: ignore[arg-type] # stands for "cannot be imported"
