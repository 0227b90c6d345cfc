"""The demo's stack left running, to play with.

python -m examples.playground up [--port PORT]
python -m examples.playground down
"""
