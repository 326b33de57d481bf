//! What a module can do to its host: answer, refuse, or be thrown away.

mod modules;

use std::thread;

use modules::{apply, changed, fickle};
use pitpet_chain_host::{
    Host, HostError, Instance, InterfaceFault, Metering, Module, Operation, Refusal, RulesHash, Settings,
    Target,
};

fn load(wasm: &[u8], settings: Settings) -> Module {
    let target = Target::host().unwrap();
    let artefact = Host::compile(wasm, &target, settings.metering).unwrap();
    Host::headless(target, settings).load(RulesHash::of(wasm), &artefact).unwrap()
}

fn start(wasm: &[u8]) -> Instance {
    load(wasm, Settings::default()).instantiate().unwrap()
}

/// Lets `apply` of a new instance fail, and checks that it answers no more.
fn failure(what: u8) -> HostError {
    let mut instance = start(&fickle());
    let error = instance.call(Operation::Apply, &[what]).expect_err("the module misbehaves");
    assert!(instance.is_poisoned());
    assert_eq!(instance.call(Operation::Ask, b"still there?"), Err(HostError::Poisoned));
    error
}

#[test]
fn every_operation_gets_its_input_and_gives_its_answer() {
    let mut instance = start(&fickle());
    let large = vec![0; 1024 * 1024];
    for operation in Operation::ALL {
        assert_eq!(instance.call(operation, b"\0abc"), Ok(Ok(b"\0abc".to_vec())));
        assert!(instance.call(operation, &large).unwrap().unwrap() == large);
    }
    assert_eq!(instance.call(Operation::Open, b""), Ok(Ok(vec![])));
}

#[test]
fn a_refusal_is_an_answer() {
    let mut instance = start(&fickle());
    assert_eq!(
        instance.call(Operation::Apply, &[apply::REFUSE, 5]),
        Ok(Err(Refusal(vec![apply::REFUSE, 5])))
    );
    assert_eq!(instance.call(Operation::Apply, &[apply::ECHO]), Ok(Ok(vec![apply::ECHO])));
}

#[test]
fn an_instance_keeps_its_state_and_shares_it_with_no_other() {
    let module = load(&fickle(), Settings::default());
    let (mut one, mut other) = (module.instantiate().unwrap(), module.instantiate().unwrap());
    for count in 1..=3 {
        assert_eq!(one.call(Operation::Apply, &[apply::COUNT]), Ok(Ok(vec![count])));
    }
    assert_eq!(other.call(Operation::Apply, &[apply::COUNT]), Ok(Ok(vec![1])));
}

#[test]
fn a_trap_ends_the_instance() {
    assert!(matches!(failure(apply::TRAP), HostError::Trap { operation: "apply", .. }));
}

#[test]
fn recursion_without_end_ends_the_instance() {
    let error = failure(apply::RECURSE);
    assert!(matches!(error, HostError::StackOverflow { operation: "apply" }), "{error}");
}

#[test]
fn a_loop_without_end_runs_out_of_fuel() {
    assert_eq!(
        failure(apply::LOOP),
        HostError::OutOfFuel { operation: "apply", fuel: Operation::Apply.fuel() }
    );
}

#[test]
fn bulk_operators_pay_for_their_bytes() {
    // Each round touches 130,000 bytes and executes some ten operators; the host would be kept busy for an hour.
    assert_eq!(
        failure(apply::FILL),
        HostError::OutOfFuel { operation: "apply", fuel: Operation::Apply.fuel() }
    );
    let mut instance = start(&fickle());
    let mut spent = |size: usize| {
        instance.call(Operation::Encode, &vec![0; size]).unwrap().unwrap();
        Operation::Encode.fuel() - instance.fuel_left().unwrap()
    };
    // The first call makes the memory grow, which has a price too.
    spent(80_008);
    let (little, much) = (spent(8), spent(80_008));
    // One copy of 80,000 bytes more, at 8 bytes a point.
    assert_eq!(much - little, 10_000);
}

#[test]
fn each_call_has_fuel_of_its_own() {
    let mut instance = start(&fickle());
    let mut left = Vec::new();
    for _ in 0..3 {
        instance.call(Operation::Ask, b"the same").unwrap().unwrap();
        left.push(instance.fuel_left().unwrap());
    }
    assert!(left[0] < Operation::Ask.fuel());
    assert!(left.iter().all(|points| *points == left[0]), "{left:?}");
}

#[test]
fn memory_is_bounded_by_the_module_and_by_the_host() {
    assert_eq!(failure(apply::GROW), HostError::MemoryLimit { operation: "apply", pages_max: 8192 });

    let tight = Settings { memory_pages_max: 3, ..Settings::default() };
    let mut instance = load(&fickle(), tight).instantiate().unwrap();
    assert_eq!(
        instance.call(Operation::Apply, &[apply::GROW]),
        Err(HostError::MemoryLimit { operation: "apply", pages_max: 3 })
    );
    assert_eq!(instance.memory_bytes(), 3 * 65536);

    let mut instance = load(&fickle(), tight).instantiate().unwrap();
    let too_much = vec![0; 200_000];
    assert_eq!(
        instance.call(Operation::Ask, &too_much),
        Err(HostError::MemoryLimit { operation: "ask", pages_max: 3 })
    );

    let none = Settings { memory_pages_max: 1, ..Settings::default() };
    let error = load(&fickle(), none).instantiate().unwrap_err();
    assert_eq!(error, HostError::MemoryLimit { operation: "start", pages_max: 1 });
}

#[test]
fn answers_outside_of_the_interface_end_the_instance() {
    for (what, fault) in [
        (apply::OUT_OF_BOUNDS, InterfaceFault::AnswerOutOfBounds),
        (apply::EMPTY, InterfaceFault::AnswerEmpty),
        (apply::STATUS, InterfaceFault::Status(9)),
    ] {
        assert_eq!(failure(what), HostError::BadInterface { operation: "apply", fault });
    }
    let mut instance = start(&changed(
        "    (local.get $ptr))\n  (func (export \"deallocate\")",
        "    (i32.const -4))\n  (func (export \"deallocate\")",
    ));
    assert_eq!(
        instance.call(Operation::Ask, b"hello"),
        Err(HostError::BadInterface { operation: "ask", fault: InterfaceFault::InputOutOfBounds })
    );
}

#[test]
fn another_version_of_the_interface_is_refused_at_start() {
    let wasm = changed(
        r#"(export "abi_version") (result i32) (i32.const 1)"#,
        r#"(export "abi_version") (result i32) (i32.const 2)"#,
    );
    assert_eq!(
        load(&wasm, Settings::default()).instantiate().unwrap_err(),
        HostError::BadInterface { operation: "start", fault: InterfaceFault::Version { found: 2 } }
    );
}

#[test]
fn a_start_that_does_not_end_runs_out_of_fuel() {
    let wasm = changed(
        r#"(export "abi_version") (result i32) (i32.const 1)"#,
        r#"(export "abi_version") (result i32) (loop $again (br $again)) (i32.const 1)"#,
    );
    assert!(matches!(
        load(&wasm, Settings::default()).instantiate().unwrap_err(),
        HostError::OutOfFuel { operation: "start", .. }
    ));
}

#[test]
fn uncounted_code_answers_alike() {
    let settings = Settings { metering: Metering::Uncounted, ..Settings::default() };
    let mut instance = load(&fickle(), settings).instantiate().unwrap();
    assert_eq!(instance.call(Operation::Ask, b"hello"), Ok(Ok(b"hello".to_vec())));
    assert_eq!(instance.fuel_left(), None);
}

#[test]
fn failures_in_some_threads_do_not_touch_the_others() {
    let module = load(&fickle(), Settings::default());
    thread::scope(|scope| {
        for index in 0..8 {
            let module = &module;
            scope.spawn(move || {
                let mut steady = module.instantiate().unwrap();
                for round in 0..50 {
                    let what = [apply::TRAP, apply::GROW, apply::RECURSE, apply::STATUS][(index + round) % 4];
                    let mut fickle = module.instantiate().unwrap();
                    assert!(fickle.call(Operation::Apply, &[what]).is_err());
                    let answer = steady.call(Operation::Apply, &[apply::COUNT]).unwrap().unwrap();
                    assert_eq!(usize::from(answer[0]), round + 1);
                }
            });
        }
    });
    assert_eq!(module.instantiate().unwrap().call(Operation::Ask, b"hello"), Ok(Ok(b"hello".to_vec())));
}

#[test]
fn an_instance_goes_on_in_another_thread() {
    let mut instance = start(&fickle());
    for count in 1..=20 {
        instance = thread::spawn(move || {
            assert_eq!(instance.call(Operation::Apply, &[apply::COUNT]), Ok(Ok(vec![count])));
            instance
        })
        .join()
        .unwrap();
    }
    // Traps too: the signal handler works in a thread that didn't make the instance.
    let error = thread::spawn(move || instance.call(Operation::Apply, &[apply::RECURSE])).join().unwrap();
    assert_eq!(error, Err(HostError::StackOverflow { operation: "apply" }));
}

#[test]
fn everything_may_move_between_threads() {
    fn movable<T: Send>() {}
    movable::<Host>();
    movable::<Module>();
    movable::<Instance>();
    movable::<HostError>();
}
