//! What operators cost: one point each, bulk memory operators by the bytes that they touch.
//!
//! The engine's own metering counts executed operators and takes them from the counter wherever a branch may begin or
//! end. Operators that only mark such a place are free: nothing is executed there, and where nothing is owed, nothing
//! is compiled to take it. Every way round a loop has a branch, every recursion a call, and each of these costs a
//! point.
//!
//! One `memory.fill` of 200 MiB would cost what one addition does, and a loop of them would run for years on a few
//! seconds' fuel. [`BulkMetering`] runs after the engine's and takes one point per 8 bytes from the same counter.

use std::sync::Mutex;

use wasmer::{
    ExportIndex, GlobalInit, GlobalType, LocalFunctionIndex, ModuleInfo, Mutability, Type,
    sys::{
        FunctionMiddleware, MiddlewareError, MiddlewareReaderState, ModuleMiddleware,
        wasmparser::{BlockType, Operator},
    },
};

use crate::instance::{FUEL_EXHAUSTED, FUEL_LEFT};

/// Points of one operator, beyond what [`BulkMetering`] takes.
pub(crate) fn price(operator: &Operator<'_>) -> u64 {
    use Operator::{Block, Else, End, Loop, Nop};
    u64::from(!matches!(operator, Block { .. } | Else | End | Loop { .. } | Nop))
}

/// log₂ of the bytes that one point pays for.
const BYTES_PER_POINT_LOG2: i64 = 3;

#[derive(Clone, Copy, Debug)]
struct Globals {
    left: u32,
    exhausted: u32,
    /// Holds the operator's length while it is charged; a middleware can't add locals.
    length: u32,
}

/// The module's part; good for one compilation.
#[derive(Debug, Default)]
pub(crate) struct BulkMetering(Mutex<Option<Globals>>);

#[derive(Debug)]
struct BulkFunctionMetering(Globals);

impl ModuleMiddleware for BulkMetering {
    fn generate_function_middleware<'a>(
        &self,
        _: LocalFunctionIndex,
    ) -> Box<dyn FunctionMiddleware<'a> + 'a> {
        let globals = self.0.lock().expect("nothing panics under this lock");
        Box::new(BulkFunctionMetering(globals.expect("the module is transformed before its functions")))
    }

    fn transform_module_info(&self, module: &mut ModuleInfo) -> Result<(), MiddlewareError> {
        let find = |name: &str| match module.exports.get(name) {
            Some(ExportIndex::Global(index)) => Ok(index.as_u32()),
            _ => Err(MiddlewareError::new("BulkMetering", format!("the counter `{name}` is missing"))),
        };
        let (left, exhausted) = (find(FUEL_LEFT)?, find(FUEL_EXHAUSTED)?);
        let length = module.globals.push(GlobalType::new(Type::I32, Mutability::Var)).as_u32();
        module.global_initializers.push(GlobalInit::I32Const(0));
        *self.0.lock().expect("nothing panics under this lock") = Some(Globals { left, exhausted, length });
        Ok(())
    }
}

impl<'a> FunctionMiddleware<'a> for BulkFunctionMetering {
    fn feed(
        &mut self,
        operator: Operator<'a>,
        state: &mut MiddlewareReaderState<'a>,
    ) -> Result<(), MiddlewareError> {
        if matches!(operator, Operator::MemoryCopy { .. } | Operator::MemoryFill { .. }) {
            let Globals { left, exhausted, length } = self.0;
            let price = [
                Operator::GlobalGet { global_index: length },
                Operator::I64ExtendI32U,
                Operator::I64Const { value: BYTES_PER_POINT_LOG2 },
                Operator::I64ShrU,
            ];
            // The length is on top of the stack.
            state.push_operator(Operator::GlobalSet { global_index: length });
            // if left < price { exhausted = 1; trap }
            state.push_operator(Operator::GlobalGet { global_index: left });
            state.extend(&price);
            state.extend(&[
                Operator::I64LtU,
                Operator::If { blockty: BlockType::Empty },
                Operator::I32Const { value: 1 },
                Operator::GlobalSet { global_index: exhausted },
                Operator::Unreachable,
                Operator::End,
            ]);
            // left -= price
            state.push_operator(Operator::GlobalGet { global_index: left });
            state.extend(&price);
            state.extend(&[
                Operator::I64Sub,
                Operator::GlobalSet { global_index: left },
                Operator::GlobalGet { global_index: length },
            ]);
        }
        state.push_operator(operator);
        Ok(())
    }
}
