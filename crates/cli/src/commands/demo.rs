//! placeholder
use crate::args::DemoArgs;
use crate::context::Context;
use pitpet_cli::failure::Failure;
pub(crate) async fn run(_c: &Context, a: DemoArgs) -> Result<(), Failure> {
    let _ = (a.kennel, a.pace_ms);
    Ok(())
}
