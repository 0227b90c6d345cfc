"""The generated code of proto/crossfade/v1. Not to be edited: change the proto and run `make proto`."""
