"""One request's way through the proxy: primary, mirror, reply, shadow."""
