"""The store on MongoDB: documents with `_cf`, native conditional updates, a fence, and the control store."""
