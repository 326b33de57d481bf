//! Drops what isn't the module: custom sections, and the exports that the linker adds on its own.

use std::ops::Range;

use anyhow::Context as _;
use wasmparser::{ExportSectionReader, ExternalKind, Parser, Payload};

/// What wasm-ld exports unasked: addresses that only a loader of other modules would need.
const LINKER_EXPORTS: [&str; 2] = ["__data_end", "__heap_base"];
const EXPORT_SECTION: u8 = 7;

/// Rewrites a module without them.
pub(crate) fn strip(wasm: &[u8]) -> anyhow::Result<Vec<u8>> {
    // The magic number and the version.
    let mut stripped = wasm.get(..8).context("not a module")?.to_vec();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.context("the linker wrote no valid module")?;
        match &payload {
            Payload::CustomSection(_) => {}
            Payload::ExportSection(exports) => {
                write_section(&mut stripped, EXPORT_SECTION, &exports_of(exports)?)?
            }
            // The code section begins here; its entries are in the same range.
            Payload::CodeSectionStart { range, .. } => {
                write_section(&mut stripped, 10, &wasm[usize_range(range)])?
            }
            other => {
                if let Some((id, range)) = other.as_section().filter(|_| !is_code_entry(other)) {
                    write_section(&mut stripped, id, &wasm[usize_range(&range)])?;
                }
            }
        }
    }
    Ok(stripped)
}

fn is_code_entry(payload: &Payload<'_>) -> bool {
    matches!(payload, Payload::CodeSectionEntry(_))
}

fn usize_range(range: &Range<u64>) -> Range<usize> {
    let bound = |value| usize::try_from(value).expect("the module is in memory");
    bound(range.start)..bound(range.end)
}

fn exports_of(exports: &ExportSectionReader<'_>) -> anyhow::Result<Vec<u8>> {
    let mut kept = Vec::new();
    let mut count = 0;
    for export in exports.clone() {
        let export = export?;
        if LINKER_EXPORTS.contains(&export.name) {
            continue;
        }
        count += 1;
        write_number(&mut kept, u32::try_from(export.name.len())?);
        kept.extend(export.name.as_bytes());
        kept.push(match export.kind {
            ExternalKind::Func => 0,
            ExternalKind::Table => 1,
            ExternalKind::Memory => 2,
            ExternalKind::Global => 3,
            ExternalKind::Tag | ExternalKind::FuncExact => {
                anyhow::bail!("`{}` is no plain export", export.name)
            }
        });
        write_number(&mut kept, export.index);
    }
    let mut section = Vec::new();
    write_number(&mut section, count);
    section.extend(kept);
    Ok(section)
}

fn write_section(module: &mut Vec<u8>, id: u8, content: &[u8]) -> anyhow::Result<()> {
    module.push(id);
    write_number(module, u32::try_from(content.len())?);
    module.extend(content);
    Ok(())
}

/// Unsigned LEB128.
fn write_number(bytes: &mut Vec<u8>, mut value: u32) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}
