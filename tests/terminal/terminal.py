"""A terminal of any size: a program writes to it, and its screen is read."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

import pyte

from programs import HF2MS, PATIENCE, WORKER, environment


class Terminal:
    """`hf2ms`, or another program, at a terminal of so many columns. Every state of the screen at which it paused was looked at."""

    def __init__(self, sandbox, folder, columns, *args, rows=24, term="xterm-256color", program=HF2MS, **more):
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.states = []
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        of_test = environment(
            HF2MS_WORKER=str(WORKER),
            HF2MS_STATE=str(folder / "state"),
            HF_ENDPOINT=sandbox.hf,
            MODELSCOPE_ENDPOINT=sandbox.ms,
            MODELSCOPE_TOKEN=sandbox.ms_alice,
            TERM=term,
            **more,
        )
        self.process = subprocess.Popen(
            [str(program), *args], stdin=slave, stdout=slave, stderr=slave, env=of_test, cwd=folder, start_new_session=True, close_fds=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self.master = master

    def read(self, pause=0.05):
        """Takes in what was written within `pause`; returns whether the program has closed the terminal."""
        while select.select([self.master], [], [], pause)[0]:
            try:
                written = os.read(self.master, 65536)
            except OSError:
                return True
            if not written:
                return True
            self.stream.feed(written)
        self.states.append(self.lines())
        return False

    def lines(self):
        return [line.rstrip() for line in self.screen.display if line.strip()]

    def until(self, probe):
        """Reads until some state of the screen satisfies `probe`."""
        end = time.monotonic() + PATIENCE
        while not probe(self.lines()):
            assert not self.read() and time.monotonic() < end, "\n".join(self.lines())
        return self.lines()

    def type(self, text):
        os.write(self.master, text.encode())

    def press_ctrl_c(self):
        os.write(self.master, b"\x03")

    def end(self):
        """Reads to the end; returns the exit code and the last screen."""
        end = time.monotonic() + PATIENCE
        while not self.read():
            assert time.monotonic() < end, "\n".join(self.lines())
        os.close(self.master)
        return self.process.wait(PATIENCE), self.lines()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
