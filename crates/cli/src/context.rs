//! What commands share: the client, the key files, the passphrase, and the way of printing.

use std::cell::{Cell, OnceCell};
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use age::secrecy::{ExposeSecret as _, SecretString};
use indicatif::{ProgressBar, ProgressStyle};
use pitpet_cli::client::{Client, Progress};
use pitpet_cli::failure::Failure;
use pitpet_cli::keys::{Account, KeyDir};
use pitpet_cli::pins::Pins;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::args::{Common, URL};

/// Longest passphrase line that is read, bytes.
const PASSPHRASE_BYTES_MAX: usize = 4096;

/// The shared things.
pub(crate) struct Context {
    /// Options of all commands.
    pub(crate) common: Common,
    /// The key files.
    pub(crate) keys: KeyDir,
    passphrase: OnceCell<SecretString>,
    has_printed: Cell<bool>,
}

impl Context {
    /// Finds out where things are; touches nothing yet.
    pub(crate) fn new(mut common: Common) -> Result<Self, Failure> {
        // A variable that is set to nothing is one that isn't set.
        if common.url.is_empty() {
            common.url = URL.to_owned();
        }
        let dir = match &common.keys {
            Some(dir) => dir.clone(),
            None => home()?,
        };
        let keys = KeyDir::new(dir, common.scrypt_log_n);
        Ok(Self { common, keys, passphrase: OnceCell::new(), has_printed: Cell::new(false) })
    }

    /// A client that remembers kennels beside the keys.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        Client::new(&self.common.url, Pins::open(self.keys.path())?)
    }

    /// How long to wait for blocks.
    pub(crate) fn wait(&self) -> Option<Duration> {
        (!self.common.no_wait).then_some(Duration::from_secs(self.common.wait))
    }

    /// The name of the account to act as.
    pub(crate) fn account_name(&self) -> Result<String, Failure> {
        if let Some(name) = &self.common.account {
            return Ok(name.clone());
        }
        let mut accounts = self.keys.list()?;
        match accounts.len() {
            1 => Ok(accounts.remove(0).name),
            0 => Err(Failure::usage(format!(
                "no account in {}; `pitpet account new NAME` makes one",
                self.keys.path().display()
            ))),
            _ => {
                let names: Vec<_> = accounts.into_iter().map(|account| account.name).collect();
                Err(Failure::usage(format!("which account? --account, one of: {}", names.join(", "))))
            }
        }
    }

    /// Opens the account to act as.
    pub(crate) fn account(&self) -> Result<Account, Failure> {
        self.open(&self.account_name()?)
    }

    /// Opens an account of a name, before whose passphrase is asked for it must be here.
    pub(crate) fn open(&self, name: &str) -> Result<Account, Failure> {
        self.keys.show(name)?;
        self.keys.open(name, self.passphrase(&format!("Passphrase of `{name}`: "), Ask::Once)?)
    }

    /// The passphrase: from the file descriptor, or asked for.
    pub(crate) fn passphrase(&self, prompt: &str, ask: Ask) -> Result<&SecretString, Failure> {
        if self.passphrase.get().is_none() {
            let text = match self.common.passphrase_fd {
                Some(fd) => not_empty(read_line_of(fd)?)?,
                None => prompted(prompt, ask, on_terminal)?,
            };
            let _ = self.passphrase.set(text);
        }
        Ok(self.passphrase.get().expect("set above"))
    }

    /// Prints a result: JSON for scripts, or text for people.
    pub(crate) fn print(&self, json: Value, text: &str) {
        self.has_printed.set(true);
        if self.common.json {
            show(&format!("{json:#}"));
        } else {
            show(&plain(text.trim_end()));
        }
    }

    /// Prints why a command failed, for a program, unless a result was printed that says it.
    pub(crate) fn print_failure(&self, failure: &Failure) {
        if self.common.json && !self.has_printed.get() {
            show_failure(failure);
        }
    }
}

/// Writes to stdout why a command failed, as a problem document.
pub(crate) fn show_failure(failure: &Failure) {
    show(&failure.document().to_string());
}

/// Writes a line to stdout. Whoever reads it may have seen enough and closed the pipe: that is no
/// fault of the command.
pub(crate) fn show(line: &str) {
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{line}").and_then(|()| out.flush());
    if let Err(error) = written
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        eprintln!("pitpet: the result can't be written: {error}");
        std::process::exit(3);
    }
}

/// How often a passphrase is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Once: it opens a file.
    Once,
    /// Twice: it makes a file.
    Twice,
}

fn home() -> Result<PathBuf, Failure> {
    if let Some(dir) = std::env::var_os("PITPET_HOME").filter(|dir| !dir.is_empty()) {
        return Ok(dir.into());
    }
    match std::env::home_dir().filter(|dir| !dir.as_os_str().is_empty()) {
        Some(dir) => Ok(dir.join(".pitpet")),
        None => Err(Failure::usage("no home directory; say where key files are with --keys or PITPET_HOME")),
    }
}

fn read_line_of(fd: u32) -> Result<SecretString, Failure> {
    let fault = |why: String| Failure::usage(format!("--passphrase-fd {fd}: {why}"));
    let mut line = Zeroizing::new(String::new());
    let limited = |reader: Box<dyn std::io::Read>| std::io::Read::take(reader, PASSPHRASE_BYTES_MAX as u64);
    let source: Box<dyn std::io::Read> = match fd {
        0 => Box::new(std::io::stdin()),
        _ => {
            Box::new(std::fs::File::open(format!("/dev/fd/{fd}")).map_err(|error| fault(error.to_string()))?)
        }
    };
    std::io::BufReader::new(limited(source))
        .read_line(&mut line)
        .map_err(|error| fault(error.to_string()))?;
    Ok(SecretString::from(line.trim_end_matches(['\r', '\n']).to_owned()))
}

fn on_terminal(prompt: &str) -> std::io::Result<String> {
    rpassword::prompt_password(prompt)
}

/// The passphrase that `read` gets for a prompt: not empty, and twice the same if it makes a file.
fn prompted(
    prompt: &str,
    ask: Ask,
    mut read: impl FnMut(&str) -> std::io::Result<String>,
) -> Result<SecretString, Failure> {
    let mut read = |prompt: &str| {
        read(prompt).map(Zeroizing::new).map_err(|error| {
            Failure::usage(format!("the passphrase can't be asked for ({error}); use --passphrase-fd N"))
        })
    };
    let text = read(prompt)?;
    if ask == Ask::Twice && *read("Once more: ")? != *text {
        return Err(Failure::usage("the two passphrases differ"));
    }
    not_empty(SecretString::from(text.to_string()))
}

fn not_empty(passphrase: SecretString) -> Result<SecretString, Failure> {
    match passphrase.expose_secret().is_empty() {
        true => Err(Failure::usage("the passphrase is empty")),
        false => Ok(passphrase),
    }
}

/// Text without control characters but line ends, so that what strangers wrote can't steer the terminal.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// A bar on stderr that counts blocks, if someone looks; else none.
pub(crate) fn block_bar(what: &str, blocks: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("  {msg} {bar:30} {pos} of {len} blocks, {per_sec}, {eta} left")
        .expect("a fixed template");
    ProgressBar::new(blocks).with_style(style).with_message(what.to_owned())
}

/// Shows on stderr how an event fares; a bar only where someone looks.
pub(crate) struct Reporter {
    bar: Mutex<Option<ProgressBar>>,
    quiet: bool,
}

impl Reporter {
    /// A reporter; a quiet one says nothing.
    pub(crate) fn new(quiet: bool) -> Self {
        Self { bar: Mutex::new(None), quiet }
    }

    /// Tells one thing.
    pub(crate) fn tell(&self, progress: Progress) {
        if self.quiet {
            return;
        }
        let mut bar = self.bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match progress {
            Progress::Stamping { tried, expected } => {
                if std::io::stderr().is_terminal() {
                    let style = ProgressStyle::with_template(
                        "  stamping {bar:30} {percent}% of the trials expected, {elapsed}",
                    )
                    .expect("a fixed template");
                    bar.get_or_insert_with(|| ProgressBar::new(expected).with_style(style))
                        .set_position(tried);
                }
            }
            Progress::Queued(id) => {
                if let Some(bar) = bar.take() {
                    bar.finish_and_clear();
                }
                eprintln!("queued {id}");
            }
            Progress::Mined { height } => eprintln!("mined in block {height}, proof checked"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of these entries, or why nothing, and for what was prompted.
    fn entered(ask: Ask, entries: &[&str]) -> (Result<String, String>, Vec<String>) {
        let mut prompts = Vec::new();
        let mut entries = entries.iter();
        let given = prompted("New passphrase: ", ask, |prompt| {
            prompts.push(prompt.to_owned());
            let entry = entries.next().map(|entry| (*entry).to_owned());
            entry.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotFound))
        });
        let given = given.map(|text| text.expose_secret().to_owned()).map_err(|failure| {
            assert_eq!(failure.exit_code(), 2);
            failure.to_string()
        });
        (given, prompts)
    }

    #[test]
    fn a_passphrase_that_makes_a_file_is_entered_twice_the_same() {
        let (given, prompts) = entered(Ask::Once, &["a long walk", "another"]);
        assert_eq!(given.unwrap(), "a long walk");
        assert_eq!(prompts, ["New passphrase: "]);
        let (given, prompts) = entered(Ask::Twice, &["a long walk", "a long walk"]);
        assert_eq!(given.unwrap(), "a long walk");
        assert_eq!(prompts, ["New passphrase: ", "Once more: "]);
        let refused = |ask, entries: &[&str]| entered(ask, entries).0.unwrap_err();
        for other in ["a long wal", "a long walk ", "A long walk", ""] {
            assert_eq!(refused(Ask::Twice, &["a long walk", other]), "the two passphrases differ");
        }
        assert_eq!(refused(Ask::Once, &[""]), "the passphrase is empty");
        assert_eq!(refused(Ask::Twice, &["", ""]), "the passphrase is empty");
        let nobody = "the passphrase can't be asked for (entity not found); use --passphrase-fd N";
        assert_eq!(refused(Ask::Once, &[]), nobody);
        assert_eq!(refused(Ask::Twice, &["a long walk"]), nobody);
    }

    #[test]
    fn strangers_can_t_steer_the_terminal() {
        let hostile = "Mo\u{1b}[2Jchi\r\u{7}\u{9b}31m \u{202e}drawkcab\u{2066}\nnext";
        let shown = plain(hostile);
        assert_eq!(shown, "Mo\u{fffd}[2Jchi\u{fffd}\u{fffd}\u{fffd}31m \u{fffd}drawkcab\u{fffd}\nnext");
        assert_eq!(plain("Mochi, Größe 猫\n"), "Mochi, Größe 猫\n");
    }
}
