//! One running module with its memory, and the faults that end it.

use std::fmt;

use wasmer::{Engine, Global, Imports, Memory, RuntimeError, Store, TypedFunction, Value, sys::vm::TrapCode};

use crate::{
    ABI_VERSION, Metering, Operation, Refusal, Settings,
    abi::{STATUS_DONE, STATUS_REFUSED},
    memory::GrowthRefused,
};

/// The counter that the engine's metering exports.
pub(crate) const FUEL_LEFT: &str = "wasmer_metering_remaining_points";
/// Its mark that a call ran out.
pub(crate) const FUEL_EXHAUSTED: &str = "wasmer_metering_points_exhausted";

/// What a start-up call may cost: it returns a constant.
const START_FUEL: u64 = 10_000;

/// What went wrong between host and module. Whatever it was, the instance answers no more.
///
/// It says nothing about the input but that this module couldn't handle it; a module's own *no* is a [`Refusal`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// The module trapped: a broken invariant, or a panic.
    #[error("`{operation}` trapped: {reason}")]
    Trap {
        /// What it was doing; `start` before the first call.
        operation: &'static str,
        /// The engine's words.
        reason: String,
    },
    /// The module's own stack ran out.
    #[error("`{operation}` ran out of stack")]
    StackOverflow {
        /// What it was doing.
        operation: &'static str,
    },
    /// The call took more than its fuel.
    #[error("`{operation}` took more than {fuel} points of fuel")]
    OutOfFuel {
        /// What it was doing.
        operation: &'static str,
        /// What it was given, in metering points.
        fuel: u64,
    },
    /// The module needed more memory than allowed.
    #[error("`{operation}` needs more than {pages_max} pages of memory")]
    MemoryLimit {
        /// What it was doing.
        operation: &'static str,
        /// The limit, in pages of 64 KiB.
        pages_max: u32,
    },
    /// The module doesn't keep to the interface.
    #[error("`{operation}` breaks the interface: {fault}")]
    BadInterface {
        /// What it was doing.
        operation: &'static str,
        /// How.
        fault: InterfaceFault,
    },
    /// The engine could not make an instance.
    #[error("the module cannot be instantiated: {reason}")]
    Instantiate {
        /// The engine's words.
        reason: String,
    },
    /// An earlier call failed; a new instance is needed.
    #[error("the instance failed earlier and answers no more")]
    Poisoned,
}

/// How a module doesn't keep to the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InterfaceFault {
    /// It is of another version.
    #[error("its version is {found}, this host speaks {ABI_VERSION}")]
    Version {
        /// The module's version.
        found: i32,
    },
    /// An export is missing. The gatekeeper refuses such a module before.
    #[error("an export is missing or has another signature")]
    Export,
    /// The buffer that it gave for the input isn't in its memory.
    #[error("the input buffer is out of bounds")]
    InputOutOfBounds,
    /// The answer isn't in its memory.
    #[error("the answer is out of bounds")]
    AnswerOutOfBounds,
    /// The answer has no status.
    #[error("the answer is empty")]
    AnswerEmpty,
    /// The answer's status is neither done nor refused.
    #[error("the answer has the unknown status {0}")]
    Status(u8),
}

/// A module's instance, which keeps a kennel between calls.
pub struct Instance {
    store: OwnedStore,
    exports: Exports,
    fuel: Option<Fuel>,
    refused: GrowthRefused,
    pages_max: u32,
    poisoned: bool,
}

/// The engine's store, which has raw pointers in it and so isn't `Send` by itself.
struct OwnedStore(Store);

// SAFETY: all that a store of ours points to is owned by the store or by the compiled module, which is shared and never
// changes: there are no host functions, no host environments and no callbacks in it, which are the parts that could be
// bound to a thread. Only `Instance` has it, which lends it to nobody and makes one call at a time through `&mut self`.
// The engine prepares the calling thread for traps at each call, and keeps nothing of it afterwards.
#[allow(unsafe_code)]
unsafe impl Send for OwnedStore {}

struct Exports {
    memory: Memory,
    allocate: TypedFunction<i32, i32>,
    deallocate: TypedFunction<(i32, i32), ()>,
    operations: [TypedFunction<(i32, i32), i64>; Operation::ALL.len()],
}

struct Fuel {
    left: Global,
    exhausted: Global,
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance").field("poisoned", &self.poisoned).finish_non_exhaustive()
    }
}

impl Instance {
    pub(crate) fn new(
        engine: Engine,
        module: &wasmer::Module,
        settings: Settings,
        refused: GrowthRefused,
    ) -> Result<Self, HostError> {
        const START: &str = "start";
        let bad = |fault| HostError::BadInterface { operation: START, fault };
        let no_export = |_| bad(InterfaceFault::Export);
        let minimum = module.info().memories.values().map(|memory| memory.minimum.0).max().unwrap_or(0);
        if minimum > settings.memory_pages_max {
            return Err(HostError::MemoryLimit { operation: START, pages_max: settings.memory_pages_max });
        }
        let mut store = Store::new(engine);
        let instance = wasmer::Instance::new(&mut store, module, &Imports::new())
            .map_err(|error| HostError::Instantiate { reason: error.to_string() })?;
        let exports = &instance.exports;
        let fuel = match settings.metering {
            Metering::Uncounted => None,
            Metering::Counted => Some(Fuel {
                left: exports.get_global(FUEL_LEFT).map_err(no_export)?.clone(),
                exhausted: exports.get_global(FUEL_EXHAUSTED).map_err(no_export)?.clone(),
            }),
        };
        let mut operations = Vec::with_capacity(Operation::ALL.len());
        for operation in Operation::ALL {
            operations.push(exports.get_typed_function(&store, operation.name()).map_err(no_export)?);
        }
        let version: TypedFunction<(), i32> =
            exports.get_typed_function(&store, "abi_version").map_err(no_export)?;
        let exports = Exports {
            memory: exports.get_memory("memory").map_err(no_export)?.clone(),
            allocate: exports.get_typed_function(&store, "allocate").map_err(no_export)?,
            deallocate: exports.get_typed_function(&store, "deallocate").map_err(no_export)?,
            operations: operations.try_into().map_err(|_| bad(InterfaceFault::Export))?,
        };
        let pages_max = settings.memory_pages_max;
        let mut instance =
            Self { store: OwnedStore(store), exports, fuel, refused, pages_max, poisoned: false };
        instance.refuel(START_FUEL);
        let found =
            version.call(&mut instance.store.0).map_err(|error| instance.fault(START, START_FUEL, error))?;
        if found == ABI_VERSION { Ok(instance) } else { Err(bad(InterfaceFault::Version { found })) }
    }

    /// Calls an operation.
    ///
    /// The outer result is the host's: did the module answer at all? The inner one is the module's answer. They are
    /// never merged, because a refusal is a decision that every other machine comes to as well, and a host's failure
    /// is not.
    ///
    /// # Errors
    /// [`HostError`]; every later call is then [`HostError::Poisoned`].
    pub fn call(
        &mut self,
        operation: Operation,
        input: &[u8],
    ) -> Result<Result<Vec<u8>, Refusal>, HostError> {
        if self.poisoned {
            return Err(HostError::Poisoned);
        }
        // Until the call has ended well; so it holds whatever ends it.
        self.poisoned = true;
        let answer = self.run(operation, input)?;
        self.poisoned = false;
        Ok(answer)
    }

    /// True after a [`HostError`].
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// The size of the instance's memory, in bytes. It never shrinks.
    pub fn memory_bytes(&self) -> u64 {
        self.exports.memory.view(&self.store.0).data_size()
    }

    /// The fuel that the last call left, in metering points; none without metering.
    pub fn fuel_left(&mut self) -> Option<u64> {
        let left = self.fuel.as_ref()?.left.get(&mut self.store.0);
        left.i64().map(i64::cast_unsigned)
    }

    fn run(&mut self, operation: Operation, input: &[u8]) -> Result<Result<Vec<u8>, Refusal>, HostError> {
        let (name, fuel) = (operation.name(), operation.fuel());
        let bad = |fault| HostError::BadInterface { operation: name, fault };
        let no_memory = HostError::MemoryLimit { operation: name, pages_max: self.pages_max };
        self.refuel(fuel);
        self.refused.take();

        // wasm32 has 2³² addresses; what is longer can't be given to it.
        let input_size = u32::try_from(input.len()).map_err(|_| no_memory.clone())?.cast_signed();
        let ptr = self
            .exports
            .allocate
            .call(&mut self.store.0, input_size)
            .map_err(|error| self.fault(name, fuel, error))?;
        if ptr == 0 {
            return Err(no_memory);
        }
        let view = self.exports.memory.view(&self.store.0);
        view.write(address(ptr), input).map_err(|_| bad(InterfaceFault::InputOutOfBounds))?;

        let packed = self.exports.operations[operation as usize]
            .call(&mut self.store.0, ptr, input_size)
            .map_err(|error| self.fault(name, fuel, error))?
            .cast_unsigned();
        let (start, size) = (packed >> 32, packed & u64::from(u32::MAX));

        let view = self.exports.memory.view(&self.store.0);
        // Before memory is set aside for it; both are below 2³².
        if start + size > view.data_size() {
            return Err(bad(InterfaceFault::AnswerOutOfBounds));
        }
        if size == 0 {
            return Err(bad(InterfaceFault::AnswerEmpty));
        }
        let status = view.read_u8(start).map_err(|_| bad(InterfaceFault::AnswerOutOfBounds))?;
        let payload = view
            .copy_range_to_vec(start + 1..start + size)
            .map_err(|_| bad(InterfaceFault::AnswerOutOfBounds))?;
        let answer = match status {
            STATUS_DONE => Ok(payload),
            STATUS_REFUSED => Err(Refusal(payload)),
            status => return Err(bad(InterfaceFault::Status(status))),
        };

        let (start, size) = (low_bits(start), low_bits(size));
        self.exports
            .deallocate
            .call(&mut self.store.0, start, size)
            .map_err(|error| self.fault(name, fuel, error))?;
        Ok(answer)
    }

    fn refuel(&mut self, fuel: u64) {
        if let Some(Fuel { left, exhausted }) = &self.fuel {
            left.set(&mut self.store.0, Value::I64(fuel.cast_signed()))
                .expect("the counter is a mutable i64");
            exhausted.set(&mut self.store.0, Value::I32(0)).expect("the mark is a mutable i32");
        }
    }

    /// Says what a trap was: every limit ends in one.
    fn fault(&mut self, operation: &'static str, fuel: u64, error: RuntimeError) -> HostError {
        let exhausted = self.fuel.as_ref().map(|counter| counter.exhausted.get(&mut self.store.0));
        if exhausted.is_some_and(|mark| mark != Value::I32(0)) {
            return HostError::OutOfFuel { operation, fuel };
        }
        if self.refused.take() {
            return HostError::MemoryLimit { operation, pages_max: self.pages_max };
        }
        let reason = error.message();
        match error.to_trap() {
            Some(TrapCode::StackOverflow) => HostError::StackOverflow { operation },
            _ => HostError::Trap { operation, reason },
        }
    }
}

/// A wasm32 pointer is unsigned, whatever its type says.
fn address(ptr: i32) -> u64 {
    u64::from(ptr.cast_unsigned())
}

/// The bits of a number below 2³² as wasm32 takes them.
fn low_bits(value: u64) -> i32 {
    u32::try_from(value).expect("half of a packed u64").cast_signed()
}
