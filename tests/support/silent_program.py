"""A program that runs and says nothing: `python -m support.silent_program`."""

import signal

if __name__ == "__main__":
    signal.pause()
