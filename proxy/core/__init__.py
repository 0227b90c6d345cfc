"""The pure heart: values, versions, filters, updates, stages, comparison. No I/O, no clock, no drivers."""
