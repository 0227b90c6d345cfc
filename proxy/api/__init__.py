"""The gRPC edge: protobuf in and out, deadlines, statuses; it decides nothing about documents."""
