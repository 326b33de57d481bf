#!/usr/bin/env python3
"""Runs stranger.py against a fresh PitPet: it must succeed, and proof.py refuse each spoiled proof.

    python3 examples/check.py [PITPET]     PITPET is target/release/pitpet unless given

Needs PyPI for the packages in requirements.txt; they go to a folder that is deleted at the end.
"""
import base64, json, pathlib, subprocess, sys, tempfile, threading

HERE = pathlib.Path(__file__).resolve().parent
PHOTO = HERE.parent / "crates/cli/assets/chelsea.png"


def flipped(data, at):
    """The same bytes with one bit changed."""
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def lies(saved):
    """The saved proof, spoiled in one place each, with the name of the place."""

    def with_value(field, value):
        return {**saved, field: value}

    def bit(field, at):
        return base64.b64encode(flipped(base64.b64decode(saved[field]), at)).decode()

    def hexbit(field):
        return flipped(bytes.fromhex(saved[field]), 7).hex()

    yield "another kennel", with_value("kennel", hexbit("kennel"))
    yield "another genesis", with_value("genesis", bit("genesis", -1))
    yield "another event", with_value("event", hexbit("event"))
    size = len(base64.b64decode(saved["proof"]))
    for part in range(1, 10):
        yield f"event proof, {part}/10", with_value("proof", bit("proof", size * part // 10))
    yield "log proof", with_value("log_proof", bit("log_proof", -1))
    lines = saved["checkpoint"].split("\n")
    lines[1] = str(int(lines[1]) + 1)
    yield "a checkpoint of another size", with_value("checkpoint", "\n".join(lines))
    lines = saved["checkpoint"].split("\n")
    lines[2] = base64.b64encode(flipped(base64.b64decode(lines[2]), 0)).decode()
    yield "a checkpoint of another root", with_value("checkpoint", "\n".join(lines))
    unsigned = saved["checkpoint"].partition("\n\n")[0] + "\n\n"
    yield "an unsigned checkpoint", with_value("checkpoint", unsigned)
    yield "headers left out", with_value("headers", saved["headers"][:-1])
    last = base64.b64encode(flipped(base64.b64decode(saved["headers"][-1]), 90)).decode()
    yield "a header changed", with_value("headers", [*saved["headers"][:-1], last])


def main():
    pitpet = sys.argv[1] if len(sys.argv) > 1 else str(HERE.parent / "target/release/pitpet")
    with tempfile.TemporaryDirectory() as temp:
        temp = pathlib.Path(temp)
        subprocess.run([sys.executable, "-m", "venv", temp / "venv"], check=True)
        python = temp / "venv/bin/python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", HERE / "requirements.txt"], check=True)
        command = [pitpet, "serve", "--listen", "127.0.0.1:0", "--data-dir", temp / "data"]
        serve = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        # A service that never says where it is would otherwise be waited for without end.
        watchdog = threading.Timer(120, serve.kill)
        watchdog.start()
        try:
            first = serve.stdout.readline()
            if not first.startswith("PitPet runs at "):
                print(f"the service did not start: {first!r}", file=sys.stderr)
                return 1
            url = first.removeprefix("PitPet runs at ").partition(";")[0]
            subprocess.run([python, HERE / "stranger.py", url, PHOTO, temp / "proof.json"], check=True)
        finally:
            watchdog.cancel()
            serve.terminate()
            serve.wait()
        proof = [python, HERE / "proof.py"]
        subprocess.run([*proof, temp / "proof.json"], check=True)
        failed = passed = 0
        for name, lie in lies(json.loads((temp / "proof.json").read_text())):
            (temp / "lie.json").write_text(json.dumps(lie))
            run = subprocess.run([*proof, temp / "lie.json"], capture_output=True, text=True)
            if run.returncode == 1 and run.stderr.startswith("refused: "):
                passed += 1
            else:
                failed += 1
                print(f"{name}: exit {run.returncode}: {run.stdout}{run.stderr}", file=sys.stderr)
        print(f"stranger: {passed + 2} passed, {failed} failed")
        return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
