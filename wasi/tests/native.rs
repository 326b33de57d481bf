//! The command as a native program.

mod support;

#[test]
fn it_speaks_and_verifies() {
    support::all(&support::natively);
}
