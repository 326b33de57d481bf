//! What makes a package run on Lambda, looked at before it goes there.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use flate2::Compression;
use flate2::write::DeflateEncoder;
use object::elf::{EM_AARCH64, EM_X86_64, FileHeader64};
use object::read::elf::{FileHeader as _, SectionHeader as _};
use object::{LittleEndian, elf};
use pitpet_chain::hash::sha256;
use pitpet_chain_host::{ArtefactCache, Host, Metering, Releases, Settings};

use super::{ARTEFACTS, Arch, Profile};

/// The glibc of Lambda's `provided.al2023`.
const GLIBC_MAX: (u32, u32) = (2, 34);

/// Bytes of a zipped package, at most. Lambda takes 50 MB; a cold start pays for each.
fn zipped_bytes_max(function: &str) -> u64 {
    match function {
        "miner" => 12 * 1024 * 1024,
        _ => 8 * 1024 * 1024,
    }
}

/// Checks a function's package; gives a line about it. What is built for tests only may be large,
/// and shares a build with what compiles.
pub(super) fn package(function: &str, folder: &Path, arch: Arch, profile: Profile) -> anyhow::Result<String> {
    let bootstrap = folder.join("bootstrap");
    let binary = fs::read(&bootstrap).with_context(|| format!("can't read {}", bootstrap.display()))?;
    for (path, wanted) in [(bootstrap.clone(), 0o755), (folder.to_owned(), 0o755)] {
        let mode = fs::metadata(&path)?.permissions().mode() & 0o777;
        ensure!(
            mode & wanted == wanted,
            "{} has mode {mode:03o}, and Lambda's user needs {wanted:03o}: it would answer \"permission denied\"",
            path.display()
        );
    }
    machine(&binary, arch)?;
    let glibc = glibc(&binary)?;
    ensure!(
        glibc <= GLIBC_MAX,
        "bootstrap needs GLIBC_{}.{}, Lambda has GLIBC_{}.{}: build on a system with an older glibc",
        glibc.0,
        glibc.1,
        GLIBC_MAX.0,
        GLIBC_MAX.1
    );
    let mut about = String::new();
    if function == "miner" {
        let may_compile = profile == Profile::Release || !has_compiler(&binary);
        ensure!(may_compile, "bootstrap has the Wasm compiler in it: it must load artefacts only");
        let count = artefacts(&folder.join(ARTEFACTS), arch)?;
        write!(about, ", {count} artefact{}", if count == 1 { "" } else { "s" })?;
    }
    let files = files(folder)?;
    let zipped: u64 = files.iter().map(|path| zipped_bytes(path)).sum::<anyhow::Result<u64>>()?;
    let most = zipped_bytes_max(function);
    ensure!(zipped <= most || profile == Profile::Release, "it has {zipped} bytes zipped, more than {most}");
    Ok(format!(
        "  {function:<7} {:>9} bytes, {zipped:>8} zipped, GLIBC_{}.{}{about}, sha256 {}",
        binary.len(),
        glibc.0,
        glibc.1,
        &digest(folder, &files)?[..16]
    ))
}

/// The ELF header must say the architecture.
fn machine(binary: &[u8], arch: Arch) -> anyhow::Result<()> {
    let header = FileHeader64::<LittleEndian>::parse(binary).context("bootstrap is no 64-bit ELF file")?;
    let wanted = match arch {
        Arch::Arm64 => EM_AARCH64,
        Arch::X86_64 => EM_X86_64,
    };
    let found = header.e_machine(LittleEndian);
    ensure!(found == wanted, "bootstrap is for ELF machine {found:?}, {} is {wanted:?}", arch.name());
    Ok(())
}

/// The newest version of glibc's symbols that a binary needs; 0.0 if none.
fn glibc(binary: &[u8]) -> anyhow::Result<(u32, u32)> {
    let header = FileHeader64::<LittleEndian>::parse(binary)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, binary)?;
    let mut newest = (0, 0);
    for section in sections.iter().filter(|section| section.sh_type(endian) == elf::SHT_GNU_VERNEED) {
        let Some((mut needs, link)) = section.gnu_verneed(endian, binary)? else { continue };
        let strings = sections.strings(endian, binary, link)?;
        while let Some((_, mut versions)) = needs.next()? {
            while let Some(version) = versions.next()? {
                let name = String::from_utf8_lossy(version.name(endian, strings)?).into_owned();
                let Some(number) = name.strip_prefix("GLIBC_") else { continue };
                let mut parts = number.split('.').map(str::parse);
                if let (Some(Ok(major)), Some(Ok(minor))) = (parts.next(), parts.next()) {
                    newest = newest.max((major, minor));
                }
            }
        }
    }
    Ok(newest)
}

/// Says whether cranelift is linked in: its panics carry the names of its files.
fn has_compiler(binary: &[u8]) -> bool {
    let needle = b"cranelift-codegen";
    binary.windows(needle.len()).any(|window| window == needle)
}

/// Every released module must have its artefact, and one for this machine must load.
fn artefacts(folder: &Path, arch: Arch) -> anyhow::Result<usize> {
    let (cache, target) = (ArtefactCache::new(folder), arch.target());
    let mut count = 0;
    for rules in Releases::pinned() {
        let artefact = cache
            .get(rules, &target, Metering::Counted)
            .with_context(|| format!("the artefact of the module {rules} in {}", folder.display()))?;
        if arch.is_host() {
            let host = Host::headless(target.clone(), Settings::default());
            let module = host.load(rules, &artefact)?;
            module
                .instantiate()
                .with_context(|| format!("the artefact of the module {rules} does not start"))?;
        }
        let path = cache.path(rules, &target);
        let mode = fs::metadata(&path)?.permissions().mode() & 0o777;
        ensure!(mode & 0o444 == 0o444, "{} has mode {mode:03o}: Lambda's user can't read it", path.display());
        count += 1;
    }
    if count == 0 {
        bail!("no chain module is released");
    }
    Ok(count)
}

/// All files of a folder, in the order of their paths.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("can't read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() { found.extend(files(&path)?) } else { found.push(path) }
    }
    found.sort();
    Ok(found)
}

/// Bytes of a file in a zip archive, with its two headers.
fn zipped_bytes(path: &Path) -> anyhow::Result<u64> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&fs::read(path)?)?;
    Ok(encoder.finish()?.len() as u64 + 200)
}

/// Two packages must have the same files with the same bytes.
pub(super) fn same(first: &Path, second: &Path) -> anyhow::Result<()> {
    let names = |folder: &Path| -> anyhow::Result<Vec<PathBuf>> {
        files(folder)?.iter().map(|path| Ok(path.strip_prefix(folder)?.to_owned())).collect()
    };
    let (found, wanted) = (names(second)?, names(first)?);
    ensure!(found == wanted, "a second build has the files {found:?}, the first had {wanted:?}");
    for name in wanted {
        let is_same = fs::read(first.join(&name))? == fs::read(second.join(&name))?;
        ensure!(is_same, "{} has other bytes after a second build", first.join(&name).display());
    }
    Ok(())
}

/// SHA-256 over the names and contents of the files.
fn digest(folder: &Path, files: &[PathBuf]) -> anyhow::Result<String> {
    let mut all = Vec::new();
    for path in files {
        all.extend(path.strip_prefix(folder)?.to_string_lossy().bytes());
        all.push(0);
        all.extend(sha256(&fs::read(path)?));
    }
    Ok(hex::encode(sha256(&all)))
}
