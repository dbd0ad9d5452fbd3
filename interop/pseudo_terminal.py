"""A program at a terminal of its own."""

import os
import pty
import select
import subprocess
import time


class Terminal:
    """Starts it; what it writes is read as it is waited for."""

    def __init__(self, command, environment, seconds_max):
        self.controller, terminal = pty.openpty()
        self.process = subprocess.Popen(command, env=environment, stdin=terminal, stdout=terminal,
                                        stderr=terminal, start_new_session=True)
        os.close(terminal)
        self.deadline = time.monotonic() + seconds_max
        self.text = b""

    def read_until(self, expected, start=0):
        """Whether a text appears behind `start`; without one, reads until the program has closed
        the terminal, which its end does."""
        while expected is None or expected not in self.text[start:]:
            left = max(0, self.deadline - time.monotonic())
            ready, _, _ = select.select([self.controller], [], [], left)
            if not ready:
                return False
            try:
                chunk = os.read(self.controller, 65536)
            except OSError:  # The program's end closes the terminal.
                return False
            if not chunk:
                return False
            self.text += chunk
        return True

    def type(self, text):
        """As somebody at the keyboard."""
        os.write(self.controller, text.encode())

    def finish(self):
        """Reads to the end. All text, and the exit code; who doesn't end is killed."""
        self.read_until(None)
        os.close(self.controller)
        if self.process.poll() is None:
            try:
                self.process.wait(max(1, self.deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.text, self.process.wait()
