#!/bin/sh
# Measures what runs in a TEE against the same in the floor; see steady.py.
exec python3 "$(dirname "$0")/steady.py" "$@"
