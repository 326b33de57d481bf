//! Runs the binary in an environment of its own: no variables but those given, a home that is
//! empty at first, the passphrase on a file descriptor.

use std::io::{BufRead as _, BufReader, Lines, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

const PITPET: &str = env!("CARGO_BIN_EXE_pitpet");

pub(crate) struct Runner {
    home: tempfile::TempDir,
    url: String,
}

/// What a run left.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Exit code, output and errors in one text for snapshots, without what differs between runs.
    pub(crate) fn shown(&self) -> String {
        let mut text = format!("exit {}\n", self.code);
        for (name, part) in [("out", &self.out), ("err", &self.err)] {
            if !part.is_empty() {
                text.push_str(&format!("--- {name}\n{part}"));
            }
        }
        text
    }

    /// The same of a failure with `--json`, whose output is the reason as a document.
    pub(crate) fn refusal(&self) -> String {
        let document = self.document();
        let (kind, detail) = (document["type"].as_str().unwrap(), document["detail"].as_str().unwrap());
        assert!(kind.starts_with("/problems/") && self.err.contains(detail), "{document}\n{}", self.err);
        format!("exit {}\n--- err\n{}", self.code, self.err)
    }

    /// The document of a failure with `--json`.
    pub(crate) fn document(&self) -> serde_json::Value {
        assert_ne!(self.code, 0, "{}", self.out);
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.err))
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        assert_eq!(self.code, 0, "{}", self.err);
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }

    /// The id in a JSON result.
    pub(crate) fn id(&self) -> String {
        self.json()["id"].as_str().unwrap().to_owned()
    }
}

/// A command that goes on; it ends with the test.
pub(crate) struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    /// Reads lines of JSON up to the first one of this kind.
    pub(crate) fn until(&mut self, what: &str) -> serde_json::Value {
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            let value: serde_json::Value =
                serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            if value["what"] == what {
                return value;
            }
        }
        panic!("it ended without `{what}`: {}", self.errors());
    }

    /// What the terminal sends at Ctrl-C.
    pub(crate) fn interrupt(&self) {
        let kill = format!("kill -INT {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    fn errors(&mut self) -> String {
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }

    /// Waits for its end: exit code and errors.
    pub(crate) fn end(mut self) -> (i32, String) {
        let errors = self.errors();
        (self.child.wait().unwrap().code().unwrap(), errors)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Runner {
    pub(crate) fn new(url: &str) -> Self {
        Self { home: tempfile::tempdir().unwrap(), url: url.to_owned() }
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The same home, another server.
    pub(crate) fn at(self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self }
    }

    /// Puts a file into the home.
    pub(crate) fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.home().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, "a long walk\n")
    }

    /// Runs with this on the descriptor that `--passphrase-fd 0` names.
    pub(crate) fn run_with(&self, args: &[&str], passphrase: &str) -> Ran {
        self.spawn(Command::new(PITPET).args(args), passphrase, Stdio::piped())
    }

    /// Runs with its output going somewhere else.
    pub(crate) fn run_into(&self, args: &[&str], out: Stdio) -> Ran {
        self.spawn(Command::new(PITPET).args(args), "", out)
    }

    /// Runs in a session of its own, which has no terminal, whatever the tests run on.
    pub(crate) fn run_without_terminal(&self, args: &[&str]) -> Ran {
        self.spawn(Command::new("setsid").arg(PITPET).args(args), "", Stdio::piped())
    }

    fn spawn(&self, command: &mut Command, passphrase: &str, out: Stdio) -> Ran {
        let mut child = command
            .env_clear()
            .env("HOME", self.home())
            .env("PITPET_URL", &self.url)
            .current_dir(self.home())
            .stdin(Stdio::piped())
            .stdout(out)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that asks for no passphrase may have ended before.
        let _ = child.stdin.take().unwrap().write_all(passphrase.as_bytes());
        let output = child.wait_with_output().unwrap();
        let clean = |bytes: Vec<u8>| self.redact(&String::from_utf8(bytes).unwrap());
        Ran { code: output.status.code().unwrap(), out: clean(output.stdout), err: clean(output.stderr) }
    }

    /// Starts a command that goes on, its output to be read line by line.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        let mut child = Command::new(PITPET)
            .env_clear()
            .env("HOME", self.home())
            .env("PITPET_URL", &self.url)
            .current_dir(self.home())
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(b"a long walk\n").unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Running { child, lines }
    }

    /// Acts as an account of the home, with JSON as the result.
    pub(crate) fn act(&self, account: &str, args: &[&str]) -> Ran {
        self.run(&[args, &["--account", account, "--passphrase-fd", "0", "--json"]].concat())
    }

    pub(crate) fn account(&self, name: &str) -> Ran {
        self.run(&["account", "new", name, "--passphrase-fd", "0", "--scrypt-log-n", "2", "--json"])
    }

    /// Brings a pet into the world, and returns its birth hash.
    pub(crate) fn birth(&self, account: &str, pet: &str) -> String {
        let photo = self.file("cat.png", include_bytes!("../../assets/chelsea.png"));
        self.act(account, &["birth", "--photo", photo.to_str().unwrap(), "--name", pet, "--story", "A cat."])
            .id()
    }

    fn redact(&self, text: &str) -> String {
        text.replace(&self.home().display().to_string(), "[home]").replace(&self.url, "[url]")
    }
}

/// Replaces every hash in a text.
pub(crate) fn without_hashes(text: &str) -> String {
    let mut shown = String::new();
    let mut word = String::new();
    for c in text.chars().chain(['\0']) {
        if c.is_ascii_hexdigit() {
            word.push(c);
            continue;
        }
        shown.push_str(if word.len() == 64 { "[hash]" } else { &word });
        word.clear();
        shown.push(c);
    }
    shown.trim_end_matches('\0').to_owned()
}
