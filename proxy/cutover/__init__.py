"""Moving the cutover flag: safely, under traffic, forwards and back."""
