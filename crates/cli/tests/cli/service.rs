//! The real service, in a folder of a home.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use super::runner::Runner;

/// It ends with the test.
pub(crate) struct Service(Child);

impl Service {
    /// Starts it on `data` in a home, and gives its address.
    pub(crate) fn start(home: &Runner) -> (Self, String) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_pitpet"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir", "data"])
            .current_dir(home.home())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = child.stdout.take().unwrap();
        let service = Self(child);
        let line = BufReader::new(out).lines().next().unwrap().unwrap();
        let url = line.split_whitespace().find_map(|word| word.strip_suffix(';')).unwrap().to_owned();
        (service, url)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
