//! What the gatekeeper refuses, and in which words.

mod modules;

use modules::{changed, fickle, with};
use pitpet_chain_host::{GateError, Gatekeeper, MODULE_BYTES_MAX, MemoryFault};

fn refusal(wasm: &[u8]) -> GateError {
    Gatekeeper::new().inspect(wasm).expect_err("the module is refused")
}

/// Changes the memory's declaration.
fn memory(declaration: &str) -> GateError {
    refusal(&changed(r#"(memory (export "memory") 2 64)"#, declaration))
}

#[test]
fn passes_a_plain_module() {
    assert_eq!(Gatekeeper::new().inspect(&fickle()), Ok(()));
}

#[test]
fn refuses_what_is_no_module() {
    assert!(matches!(refusal(b""), GateError::Invalid { .. }));
    assert!(matches!(refusal(b"\0asm\x01\0\0"), GateError::Invalid { .. }));
    let mut cut = fickle();
    cut.truncate(cut.len() - 1);
    assert!(matches!(refusal(&cut), GateError::Invalid { .. }));
    let bytes = MODULE_BYTES_MAX + 1;
    assert_eq!(refusal(&vec![0; bytes]), GateError::TooLarge { bytes });
}

#[test]
fn refuses_code_that_does_not_type_check() {
    assert!(matches!(refusal(&with("(func (result i32) (i64.const 1))")), GateError::Invalid { .. }));
}

#[test]
fn refuses_imports() {
    let wasm = changed("(module\n", "(module (import \"env\" \"now\" (func (result i64)))\n");
    assert_eq!(refusal(&wasm), GateError::Import { module: "env".into(), name: "now".into() });
}

#[test]
fn refuses_a_start_function() {
    assert_eq!(refusal(&with("(func $run) (start $run)")), GateError::Start { function: 8 });
}

#[test]
fn refuses_floats_wherever_they_are() {
    for fields in [
        "(func (param f32))",
        "(func (result f64) (unreachable))",
        "(global f64 (f64.const 1))",
        "(type (func (param f64)))",
        "(func (local f32))",
        "(func (param v128))",
        "(func (local externref))",
    ] {
        assert!(matches!(refusal(&with(fields)), GateError::Type { .. }), "{fields}");
    }
    let refused = refusal(&with("(func (drop (i32.reinterpret_f32 (f32.const 1))))"));
    let GateError::Operator { function, offset, operator } = refused else { panic!("{refused}") };
    assert_eq!((function, operator.as_str()), (8, "F32Const"));
    assert!(offset > 8);
}

#[test]
fn refuses_operators_of_other_proposals() {
    for (fields, name) in [
        ("(func (atomic.fence))", "AtomicFence"),
        ("(func (drop (i32.atomic.load (i32.const 0))))", "I32AtomicLoad"),
        ("(func (drop (ref.null func)))", "RefNull"),
        ("(func $f (return_call $f))", "ReturnCall"),
        ("(func (drop (v128.const i32x4 0 0 0 0)))", "V128Const"),
        ("(func (drop (i32.trunc_sat_f32_s (f32.const 1))))", "F32Const"),
        ("(data $d \"\") (func (data.drop $d))", "DataDrop"),
    ] {
        let refused = refusal(&with(fields));
        assert!(
            matches!(&refused, GateError::Operator { operator, .. } if operator == name),
            "{fields}: {refused}"
        );
    }
}

#[test]
fn refuses_more_than_one_result() {
    assert!(matches!(refusal(&with("(func (result i32 i32) (unreachable))")), GateError::Invalid { .. }));
}

#[test]
fn refuses_other_memories() {
    assert_eq!(memory(r#"(memory (export "memory") 2)"#), GateError::Memory { fault: MemoryFault::Maximum });
    assert_eq!(
        memory(r#"(memory (export "memory") 2 8193)"#),
        GateError::Memory { fault: MemoryFault::Maximum }
    );
    assert_eq!(
        memory(r#"(memory (export "memory") 2 64 shared)"#),
        GateError::Memory { fault: MemoryFault::Shared }
    );
    assert_eq!(
        memory(r#"(memory (export "memory") i64 2 64)"#),
        GateError::Memory { fault: MemoryFault::Addressing }
    );
    assert_eq!(refusal(&with("(memory 1 1)")), GateError::Memory { fault: MemoryFault::Count });
}

#[test]
fn refuses_other_tables_and_segments() {
    assert_eq!(refusal(&with("(table 1 funcref)")), GateError::Table);
    assert_eq!(refusal(&with("(table 1 16385 funcref)")), GateError::Table);
    assert_eq!(refusal(&with("(table 1 1 externref)")), GateError::Table);
    assert_eq!(refusal(&with("(table 1 1 funcref) (table 1 1 funcref)")), GateError::Table);
    assert_eq!(Gatekeeper::new().inspect(&with("(table 1 1 funcref) (elem (i32.const 0) $echo)")), Ok(()));
    assert!(matches!(refusal(&with("(data \"passive\")")), GateError::Segment { .. }));
    assert!(matches!(refusal(&with("(elem declare func $echo)")), GateError::Segment { .. }));
}

#[test]
fn wants_exactly_the_interface() {
    assert_eq!(
        refusal(&changed(r#"(export "ask" (func $echo))"#, "")),
        GateError::MissingExport { name: "ask" }
    );
    assert_eq!(
        refusal(&changed(r#"(memory (export "memory") 2 64)"#, "(memory 2 64)")),
        GateError::MissingExport { name: "memory" }
    );
    assert_eq!(
        refusal(&with(r#"(global (export "wasmer_metering_remaining_points") (mut i64) (i64.const 0))"#)),
        GateError::UnknownExport { name: "wasmer_metering_remaining_points".into() }
    );
    assert_eq!(
        refusal(&changed(r#"(export "ask" (func $echo))"#, r#"(export "ask" (func $recurse))"#)),
        GateError::ExportSignature { name: "ask".into(), expected: "a function (i32, i32) -> i64" }
    );
    assert_eq!(
        refusal(&changed(r#"(export "ask" (func $echo))"#, r#"(export "ask" (memory 0))"#)),
        GateError::ExportSignature { name: "ask".into(), expected: "a function (i32, i32) -> i64" }
    );
}
