//! What the command was asked for.

use crate::audit::Audit;

/// The answer to `--help`.
pub const HELP: &str = "\
The chain of PitPet as a command

Usage: pitpet-chain [speak]             the original's line protocol, on standard input and output
       pitpet-chain verify [OPTIONS]    verifies the export on standard input

speak: one JSON request a line, at most one line of answer each.
  {\"type\":\"newBlockchain\"}                                   no answer
  {\"type\":\"loadBlockchain\",\"json\":\"…\"}                       no answer; json is what print gave
  {\"type\":\"spawnBlock\",\"birth_data\":[1,2],\"data\":[3]}        the birth hash
  {\"type\":\"addBlock\",\"birth_hash\":\"…\",\"data\":[4]}            the block's hash, or dead,
                                                           or birth_hash not found in chain
  {\"type\":\"getTTL\",\"birth_hash\":\"…\"}                         ages left,
                                                           or birth_hash not found in chain
  {\"type\":\"getEvents\",\"birth_hash\":\"…\"}                      a list of lists of bytes, or null
  {\"type\":\"print\"}, {\"type\":\"printGenesis\"}                  the chain, its first block, as JSON
  {\"type\":\"quit\"}                                            ends
A request that can't be done is answered with `error: ` and the reason, and the next one is read.
Hashes are 64 lower-case hexadecimal digits. data and birth_data have at most 8192 bytes.

  The rules are those of a `classic` kennel, without proof of work and with posts that cost
  nothing. Each pet has one fixed key, derived from its birth data: WHOEVER KNOWS THE BIRTH DATA
  CAN SIGN FOR THE PET. So this proves nothing about who acted. There is no clock: a block's
  timestamp is its height. The same requests give the same chain everywhere.

verify: executes every block again by the rules that this command was built with, the newest
release; a ledger of other rules can't be checked by it (`pitpet verify` has them all).
  --genesis KENNEL         the kennel that it must be: the id that its genesis hashes to
  --head HEIGHT:HASH       a block that it must hold
  --checkpoint-key KEY     the key that must have signed the checkpoint [default: the genesis's]
  --json                   the verdict as JSON

Options: -h, --help; -V, --version

Examples:
  echo '{\"type\":\"newBlockchain\"}
  {\"type\":\"spawnBlock\",\"birth_data\":[7],\"data\":[72,105]}' | pitpet-chain
  pitpet-chain verify <classic.pitpet
  wasmer run pitpet-chain.wasm -- verify --genesis KENNEL <classic.pitpet

Exit codes: 0 done or valid, 1 invalid, 2 usage, 3 could not be checked or written.
";

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Print the help.
    Help,
    /// Print the version.
    Version,
    /// Speak the line protocol.
    Speak,
    /// Verify an export.
    Verify(Audit),
}

/// Reads the arguments, without the program's name.
///
/// # Errors
/// What is wrong with them, naming the option.
pub fn read(arguments: impl IntoIterator<Item = String>) -> Result<Command, String> {
    let arguments: Vec<String> = arguments.into_iter().collect();
    let asks_for = |short: &str, long: &str| arguments.iter().any(|given| given == short || given == long);
    if asks_for("-h", "--help") {
        return Ok(Command::Help);
    }
    if asks_for("-V", "--version") {
        return Ok(Command::Version);
    }
    let mut rest = arguments.into_iter();
    match rest.next().as_deref() {
        None => Ok(Command::Speak),
        Some("speak") => match rest.next() {
            None => Ok(Command::Speak),
            Some(extra) => Err(format!("speak takes no argument `{extra}`")),
        },
        Some("verify") => verify(rest).map(Command::Verify),
        Some(other) => Err(format!("there is no command `{other}`")),
    }
}

fn verify(mut rest: impl Iterator<Item = String>) -> Result<Audit, String> {
    let mut audit = Audit::default();
    while let Some(option) = rest.next() {
        let mut value =
            |what: &str| rest.next().ok_or_else(|| format!("{option} is followed by nothing: give {what}"));
        match option.as_str() {
            "--json" => audit.as_json = true,
            "--genesis" => audit.kennel = Some(hash(&option, &value("a kennel id")?)?),
            "--checkpoint-key" => audit.checkpoint_key = Some(hash(&option, &value("a key")?)?),
            "--head" => {
                let text = value("HEIGHT:HASH")?;
                let (height, block) =
                    text.split_once(':').ok_or("--head takes a height, a colon, and a block hash")?;
                let height = height.parse().map_err(|_| format!("--head: `{height}` is no height"))?;
                audit.block = Some((height, hash("--head", block)?));
            }
            other => {
                return Err(format!(
                    "verify takes no argument `{other}`: the export is read from standard input"
                ));
            }
        }
    }
    Ok(audit)
}

fn hash<T: std::str::FromStr>(option: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| {
        let count = text.chars().count();
        format!("{option} takes 64 lower-case hexadecimal digits, `{text:.80}` has {count} characters")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_words(words: &str) -> Result<Command, String> {
        read(words.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn what_is_asked_for_is_understood() {
        let id = "ab".repeat(32);
        assert_eq!(read_words(""), Ok(Command::Speak));
        assert_eq!(read_words("speak"), Ok(Command::Speak));
        assert_eq!(read_words("verify --help"), Ok(Command::Help));
        assert_eq!(read_words("-V"), Ok(Command::Version));
        let Ok(Command::Verify(audit)) =
            read_words(&format!("verify --json --genesis {id} --head 7:{id} --checkpoint-key {id}"))
        else {
            panic!("a verify");
        };
        assert!(audit.as_json);
        assert_eq!(audit.kennel.unwrap().to_string(), id);
        assert_eq!(audit.checkpoint_key.unwrap().to_string(), id);
        assert_eq!(audit.block.map(|(height, hash)| (height, hash.to_string())), Some((7, id)));
    }

    #[test]
    fn what_is_wrong_names_its_option() {
        for (words, expected) in [
            ("verfy", "no command `verfy`"),
            ("speak now", "no argument `now`"),
            ("verify file.pitpet", "read from standard input"),
            ("verify --genesis", "--genesis is followed by nothing"),
            ("verify --genesis 12", "--genesis takes 64"),
            ("verify --head 12", "a height, a colon"),
            ("verify --head x:12", "`x` is no height"),
            ("verify --checkpoint-key é", "has 1 characters"),
        ] {
            let error = read_words(words).unwrap_err();
            assert!(error.contains(expected), "{words}: {error}");
        }
    }
}
