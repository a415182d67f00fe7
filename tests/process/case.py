"""What the tests of a bundle's process share: a bundle of their own, and what a good and a refused run look like."""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from bundle import Bundle  # noqa: E402

DRIVER, PROBE = sys.argv[1:3]


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="mxc-process-")
        self.addCleanup(folder.cleanup)
        self.bundle = Bundle(DRIVER, PROBE, folder.name)

    def good(self, spec, *options, **popen):
        answer = self.bundle.run(spec, *options, **popen)
        self.assertEqual(answer.code, 0, answer.stderr)
        return answer

    def refused(self, spec, *texts, options=()):
        answer = self.bundle.run(spec, *options)
        self.assertEqual(answer.code, 125, answer.stderr)
        for text in texts:
            self.assertIn(text, answer.stderr)
        return answer


def caller_holds(capability):
    with open("/proc/self/status") as file:
        bits = next(line.split()[1] for line in file if line.startswith("CapEff"))
    return int(bits, 16) >> capability & 1 == 1


def main():
    unittest.main(module="__main__", argv=[sys.argv[0], *sys.argv[3:]], verbosity=1)
