//! Refuses a module that could depend on anything but its input, or that could take more than it is given.
//!
//! What passes is closed under this list: no imports, no start function; types `i32` and `i64` only, at most one result
//! (so no floats, vectors or references); the operators of the first WebAssembly specification without its float ones,
//! plus sign extension and `memory.copy`/`memory.fill`; one memory, 32-bit, not shared, with a declared maximum; at
//! most one table of functions, with a bounded size; active segments only; and exactly the exports of our interface.
//! Everything is an allow-list, so a proposal that comes later is refused without a word here. The module is validated
//! as WebAssembly as well.
//!
//! Deliberately absent: any judgement of what the module computes. The rules hash answers for that.

use wasmparser::{
    CompositeInnerType, DataKind, ElementKind, ExternalKind, FuncType, Operator, Parser, Payload, RefType,
    TableInit, ValType, Validator, WasmFeatures,
};

use crate::Operation;

/// The largest module, in bytes. Every release is kept in every binary and sent to browsers.
pub const MODULE_BYTES_MAX: usize = 256 * 1024;

/// The largest memory that a module may declare, in pages of 64 KiB: 8,192 × 64 KiB = 512 MiB, which a
/// kennel at all its limits fits; half of the memory of the Lambda that mines.
pub const MEMORY_PAGES_MAX: u64 = 8192;

/// The largest function table, in elements. A 256 KiB module has no room for more functions than this.
pub const TABLE_ELEMENTS_MAX: u64 = 16 * 1024;

/// Why a module is refused: what, and where. Offsets are bytes from the module's start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// More bytes than [`MODULE_BYTES_MAX`].
    #[error("the module has {bytes} bytes; at most {MODULE_BYTES_MAX} are allowed")]
    TooLarge {
        /// Its size, in bytes.
        bytes: usize,
    },
    /// Not WebAssembly, or not valid under the allowed proposals.
    #[error("not a valid module at byte {offset:#x}: {reason}")]
    Invalid {
        /// Where.
        offset: u64,
        /// The validator's words.
        reason: String,
    },
    /// The module asks its host for something.
    #[error("the module imports `{module}.{name}`; imports are not allowed")]
    Import {
        /// The import's module name.
        module: String,
        /// The import's name.
        name: String,
    },
    /// The module would run code before it is asked to.
    #[error("the module has a start function, {function}")]
    Start {
        /// The function's index.
        function: u32,
    },
    /// A value that isn't `i32` or `i64`.
    #[error("{place} has the type {found}; only i32 and i64 are allowed")]
    Type {
        /// What has the type.
        place: String,
        /// The type.
        found: String,
    },
    /// An operator that isn't on the list.
    #[error("function {function} uses {operator} at byte {offset:#x}, which is not allowed")]
    Operator {
        /// The function's index.
        function: u32,
        /// Where.
        offset: u64,
        /// The operator's name.
        operator: String,
    },
    /// A memory that isn't one plain bounded memory.
    #[error("memory: {fault}")]
    Memory {
        /// What is wrong with it.
        fault: MemoryFault,
    },
    /// A table that isn't one plain bounded table of functions.
    #[error(
        "the module's table must be one plain table of functions with a maximum of at most {TABLE_ELEMENTS_MAX}"
    )]
    Table,
    /// A passive or declared segment, or one with expressions.
    #[error("a segment at byte {offset:#x} is not a plain active one")]
    Segment {
        /// Where.
        offset: u64,
    },
    /// A section that isn't on the list.
    #[error("a section of an unknown kind at byte {offset:#x}")]
    Section {
        /// Where.
        offset: u64,
    },
    /// An export of the interface is missing.
    #[error("the export `{name}` is missing")]
    MissingExport {
        /// Its name.
        name: &'static str,
    },
    /// An export of the interface has another kind or signature.
    #[error("the export `{name}` must be {expected}")]
    ExportSignature {
        /// Its name.
        name: String,
        /// What it has to be.
        expected: &'static str,
    },
    /// An export that isn't of the interface.
    #[error("the export `{name}` is not part of the interface")]
    UnknownExport {
        /// Its name.
        name: String,
    },
}

/// What is wrong with a module's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemoryFault {
    /// More than one.
    #[error("there must be exactly one")]
    Count,
    /// Shared between threads.
    #[error("it is shared between threads")]
    Shared,
    /// With 64-bit addresses, or pages of another size.
    #[error("it must have 32-bit addresses and pages of 64 KiB")]
    Addressing,
    /// Without a maximum, or with too large a one.
    #[error("it must declare a maximum of at most {MEMORY_PAGES_MAX} pages")]
    Maximum,
}

const OPERATION_SIGNATURE: &str = "a function (i32, i32) -> i64";

/// What an export has to be.
enum Expected {
    Memory,
    Function(&'static [ValType], &'static [ValType]),
}

fn interface(name: &str) -> Option<(Expected, &'static str)> {
    use ValType::{I32, I64};
    Some(match name {
        "memory" => (Expected::Memory, "the memory"),
        "abi_version" => (Expected::Function(&[], &[I32]), "a function () -> i32"),
        "allocate" => (Expected::Function(&[I32], &[I32]), "a function (i32) -> i32"),
        "deallocate" => (Expected::Function(&[I32, I32], &[]), "a function (i32, i32)"),
        _ if Operation::ALL.iter().any(|operation| operation.name() == name) => {
            (Expected::Function(&[I32, I32], &[I64]), OPERATION_SIGNATURE)
        }
        _ => return None,
    })
}

fn interface_names() -> impl Iterator<Item = &'static str> {
    ["memory", "abi_version", "allocate", "deallocate"]
        .into_iter()
        .chain(Operation::ALL.iter().map(|operation| operation.name()))
}

/// Inspects modules.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gatekeeper(());

/// What has been seen of a module so far.
#[derive(Default)]
struct Seen {
    types: Vec<FuncType>,
    functions: Vec<u32>,
    memories: usize,
    tables: usize,
    bodies: u32,
    exports: Vec<String>,
}

impl Gatekeeper {
    /// Makes a gatekeeper.
    pub fn new() -> Self {
        Self(())
    }

    /// Passes a module or says what is wrong with it.
    ///
    /// # Errors
    /// The first [`GateError`] in the order of the bytes; missing exports come last.
    pub fn inspect(&self, wasm: &[u8]) -> Result<(), GateError> {
        if wasm.len() > MODULE_BYTES_MAX {
            return Err(GateError::TooLarge { bytes: wasm.len() });
        }
        // Ours first, because it says what is wrong in the interface's own terms.
        let mut seen = Seen::default();
        for payload in Parser::new(0).parse_all(wasm) {
            seen.inspect(payload?)?;
        }
        Validator::new_with_features(Self::features()).validate_all(wasm)?;
        if seen.memories != 1 {
            return Err(GateError::Memory { fault: MemoryFault::Count });
        }
        match interface_names().find(|name| !seen.exports.iter().any(|export| export == name)) {
            Some(name) => Err(GateError::MissingExport { name }),
            None => Ok(()),
        }
    }

    /// The proposals beyond the first specification; `GC_TYPES` is how the parser calls tables of functions.
    fn features() -> WasmFeatures {
        WasmFeatures::MUTABLE_GLOBAL
            | WasmFeatures::SIGN_EXTENSION
            | WasmFeatures::BULK_MEMORY
            | WasmFeatures::GC_TYPES
    }
}

impl From<wasmparser::BinaryReaderError> for GateError {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self::Invalid { offset: error.offset(), reason: error.message().to_owned() }
    }
}

impl Seen {
    fn inspect(&mut self, payload: Payload<'_>) -> Result<(), GateError> {
        match payload {
            Payload::Version { .. }
            | Payload::DataCountSection { .. }
            | Payload::CodeSectionStart { .. }
            | Payload::CustomSection(_)
            | Payload::End(_) => {}
            Payload::TypeSection(section) => self.types(section)?,
            Payload::ImportSection(section) => {
                if let Some(import) = section.into_imports().next() {
                    let import = import?;
                    return Err(GateError::Import {
                        module: import.module.to_owned(),
                        name: import.name.to_owned(),
                    });
                }
            }
            Payload::FunctionSection(section) => {
                self.functions = section.into_iter().collect::<Result<_, _>>()?;
            }
            Payload::TableSection(section) => {
                for table in section {
                    let table = table?;
                    self.tables += 1;
                    let bounded = table.ty.maximum.is_some_and(|maximum| maximum <= TABLE_ELEMENTS_MAX);
                    let plain = table.ty.element_type == RefType::FUNCREF
                        && !table.ty.table64
                        && !table.ty.shared
                        && matches!(table.init, TableInit::RefNull);
                    if self.tables > 1 || !bounded || !plain {
                        return Err(GateError::Table);
                    }
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    let memory = memory?;
                    self.memories += 1;
                    let fault = if self.memories > 1 {
                        MemoryFault::Count
                    } else if memory.shared {
                        MemoryFault::Shared
                    } else if memory.memory64 || memory.page_size_log2.is_some() {
                        MemoryFault::Addressing
                    } else if memory.maximum.is_none_or(|maximum| maximum > MEMORY_PAGES_MAX) {
                        MemoryFault::Maximum
                    } else {
                        continue;
                    };
                    return Err(GateError::Memory { fault });
                }
            }
            Payload::GlobalSection(section) => {
                for (index, global) in section.into_iter().enumerate() {
                    check_type(global?.ty.content_type, || format!("global {index}"))?;
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    self.export(export?)?;
                }
            }
            Payload::StartSection { func, .. } => return Err(GateError::Start { function: func }),
            Payload::ElementSection(section) => {
                for element in section {
                    let element = element?;
                    let plain = matches!(element.items, wasmparser::ElementItems::Functions(_));
                    if !plain || !matches!(element.kind, ElementKind::Active { .. }) {
                        return Err(GateError::Segment { offset: element.range.start });
                    }
                }
            }
            Payload::DataSection(section) => {
                for data in section {
                    let data = data?;
                    if !matches!(data.kind, DataKind::Active { .. }) {
                        return Err(GateError::Segment { offset: data.range.start });
                    }
                }
            }
            Payload::CodeSectionEntry(body) => self.body(&body)?,
            other => {
                let offset = other.as_section().map_or(0, |(_, range)| range.start);
                return Err(GateError::Section { offset });
            }
        }
        Ok(())
    }

    fn types(&mut self, section: wasmparser::TypeSectionReader<'_>) -> Result<(), GateError> {
        for group in section {
            for ty in group?.types() {
                let index = self.types.len();
                let CompositeInnerType::Func(function) = &ty.composite_type.inner else {
                    return Err(GateError::Type {
                        place: format!("type {index}"),
                        found: "something else than a function".to_owned(),
                    });
                };
                for value in function.params().iter().chain(function.results()) {
                    check_type(*value, || format!("a parameter or result of type {index}"))?;
                }
                self.types.push(function.clone());
            }
        }
        Ok(())
    }

    fn export(&mut self, export: wasmparser::Export<'_>) -> Result<(), GateError> {
        let name = export.name.to_owned();
        let Some((expected, words)) = interface(export.name) else {
            return Err(GateError::UnknownExport { name });
        };
        let fits = match expected {
            Expected::Memory => export.kind == ExternalKind::Memory,
            Expected::Function(params, results) => {
                let function = (export.kind == ExternalKind::Func)
                    .then(|| self.functions.get(export.index as usize))
                    .flatten()
                    .and_then(|ty| self.types.get(*ty as usize));
                function.is_some_and(|function| function.params() == params && function.results() == results)
            }
        };
        if !fits {
            return Err(GateError::ExportSignature { name, expected: words });
        }
        self.exports.push(name);
        Ok(())
    }

    fn body(&mut self, body: &wasmparser::FunctionBody<'_>) -> Result<(), GateError> {
        let function = self.bodies;
        self.bodies += 1;
        for locals in body.get_locals_reader()? {
            let (_, ty) = locals?;
            check_type(ty, || format!("a local of function {function}"))?;
        }
        let mut reader = body.get_operators_reader()?;
        while !reader.eof() {
            let (operator, offset) = reader.read_with_offset()?;
            if !is_allowed(&operator) {
                let text = format!("{operator:?}");
                let name = text.split([' ', '{', '(']).next().unwrap_or_default().to_owned();
                return Err(GateError::Operator { function, offset, operator: name });
            }
        }
        Ok(())
    }
}

fn check_type(ty: ValType, place: impl FnOnce() -> String) -> Result<(), GateError> {
    match ty {
        ValType::I32 | ValType::I64 => Ok(()),
        other => Err(GateError::Type { place: place(), found: other.to_string() }),
    }
}

/// The integer operators of the first specification, sign extension, and the two bulk operators on memory.
#[rustfmt::skip]
fn is_allowed(operator: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        operator,
        // Control.
        O::Unreachable | O::Nop | O::Block { .. } | O::Loop { .. } | O::If { .. } | O::Else | O::End | O::Br { .. }
        | O::BrIf { .. } | O::BrTable { .. } | O::Return | O::Call { .. } | O::CallIndirect { .. }
        // Variables.
        | O::Drop | O::Select | O::LocalGet { .. } | O::LocalSet { .. } | O::LocalTee { .. } | O::GlobalGet { .. }
        | O::GlobalSet { .. } | O::I32Const { .. } | O::I64Const { .. }
        // Memory.
        | O::I32Load { .. } | O::I32Load8S { .. } | O::I32Load8U { .. } | O::I32Load16S { .. } | O::I32Load16U { .. }
        | O::I64Load { .. } | O::I64Load8S { .. } | O::I64Load8U { .. } | O::I64Load16S { .. } | O::I64Load16U { .. }
        | O::I64Load32S { .. } | O::I64Load32U { .. }
        | O::I32Store { .. } | O::I32Store8 { .. } | O::I32Store16 { .. }
        | O::I64Store { .. } | O::I64Store8 { .. } | O::I64Store16 { .. } | O::I64Store32 { .. }
        | O::MemorySize { .. } | O::MemoryGrow { .. } | O::MemoryCopy { .. } | O::MemoryFill { .. }
        // Comparisons.
        | O::I32Eqz | O::I32Eq | O::I32Ne | O::I32LtS | O::I32LtU | O::I32GtS | O::I32GtU | O::I32LeS | O::I32LeU
        | O::I32GeS | O::I32GeU
        | O::I64Eqz | O::I64Eq | O::I64Ne | O::I64LtS | O::I64LtU | O::I64GtS | O::I64GtU | O::I64LeS | O::I64LeU
        | O::I64GeS | O::I64GeU
        // Arithmetic.
        | O::I32Clz | O::I32Ctz | O::I32Popcnt | O::I32Add | O::I32Sub | O::I32Mul | O::I32DivS | O::I32DivU
        | O::I32RemS | O::I32RemU | O::I32And | O::I32Or | O::I32Xor | O::I32Shl | O::I32ShrS | O::I32ShrU
        | O::I32Rotl | O::I32Rotr
        | O::I64Clz | O::I64Ctz | O::I64Popcnt | O::I64Add | O::I64Sub | O::I64Mul | O::I64DivS | O::I64DivU
        | O::I64RemS | O::I64RemU | O::I64And | O::I64Or | O::I64Xor | O::I64Shl | O::I64ShrS | O::I64ShrU
        | O::I64Rotl | O::I64Rotr
        // Conversions.
        | O::I32WrapI64 | O::I64ExtendI32S | O::I64ExtendI32U
        | O::I32Extend8S | O::I32Extend16S | O::I64Extend8S | O::I64Extend16S | O::I64Extend32S
    )
}
