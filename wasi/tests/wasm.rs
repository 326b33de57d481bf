//! The command as it is published: built for `wasm32-wasip1`, run under wasmer, and held to give
//! what the native program's code gives, byte for byte.
//!
//! The host is wasmer with the functions of WASI preview 1 that the command imports, written out
//! below: standard streams, arguments, exit. `wasmer-wasix`, which `wasmer run` uses, brings a
//! file system, a network stack and a package manager, none of which the command may touch; a
//! host that has none shows that it doesn't.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use support::Ran;
use wasmer::{
    Engine, Function, FunctionEnv, FunctionEnvMut, Imports, Instance, Memory, MemoryView, Module,
    RuntimeError, Store, imports,
};

/// Results of preview 1.
const SUCCESS: i32 = 0;
const BADF: i32 = 8;

/// Builds the command as it is published.
fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let target = root.join("target");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "--package", "pitpet-chain-command", "--bin", "pitpet-chain"])
        .args(["--target", "wasm32-wasip1", "--profile", "module"])
        .current_dir(root)
        .env("CARGO_TARGET_DIR", &target)
        .status()
        .expect("cargo runs");
    assert!(status.success(), "the command is not to be built: `rustup target add wasm32-wasip1`?");
    // Where the manifest says it is, so that what is tested is what is published.
    let manifest = std::fs::read_to_string(root.join("wasmer.toml")).expect("the manifest");
    let source = manifest.lines().find_map(|line| line.strip_prefix("source = \"")?.strip_suffix('"'));
    root.join(source.expect("the command's module comes first"))
}

/// What a running command has of its host.
struct World {
    memory: Option<Memory>,
    /// As a C program sees them: ended by 0.
    arguments: Vec<Vec<u8>>,
    input: Vec<u8>,
    read: usize,
    written: Arc<Mutex<[Vec<u8>; 2]>>,
}

/// Ends the command.
#[derive(Debug)]
struct Exit(i32);

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {}", self.0)
    }
}

impl std::error::Error for Exit {}

type Env<'a> = FunctionEnvMut<'a, World>;

/// Lends the memory and the rest of the world.
fn with<T>(env: &mut Env<'_>, act: impl FnOnce(&MemoryView<'_>, &mut World) -> T) -> T {
    let memory = env.data().memory.clone().expect("the memory is set before the command starts");
    let (world, store) = env.data_and_store_mut();
    act(&memory.view(&store), world)
}

fn put_u32(view: &MemoryView<'_>, at: i32, value: usize) {
    let value = u32::try_from(value).expect("a size within wasm32");
    view.write(u64::from(at.cast_unsigned()), &value.to_le_bytes()).expect("within the memory");
}

/// The buffers of a read or write: address and size of each.
fn buffers(view: &MemoryView<'_>, at: i32, count: i32) -> Vec<(u64, usize)> {
    let word = |at: u64| {
        let mut bytes = [0; 4];
        view.read(at, &mut bytes).expect("within the memory");
        u32::from_le_bytes(bytes)
    };
    let start = u64::from(at.cast_unsigned());
    let each = (0..u64::from(count.cast_unsigned())).map(|n| start + 8 * n);
    each.map(|at| (u64::from(word(at)), word(at + 4) as usize)).collect()
}

fn fd_read(mut env: Env<'_>, fd: i32, at: i32, count: i32, size_at: i32) -> i32 {
    with(&mut env, |view, world| {
        if fd != 0 {
            return BADF;
        }
        let mut total = 0;
        for (address, size) in buffers(view, at, count) {
            let rest = &world.input[world.read..];
            let taken = &rest[..size.min(rest.len())];
            view.write(address, taken).expect("within the memory");
            world.read += taken.len();
            total += taken.len();
        }
        put_u32(view, size_at, total);
        SUCCESS
    })
}

fn fd_write(mut env: Env<'_>, fd: i32, at: i32, count: i32, size_at: i32) -> i32 {
    with(&mut env, |view, world| {
        if !(1..=2).contains(&fd) {
            return BADF;
        }
        let mut total = 0;
        for (address, size) in buffers(view, at, count) {
            let mut bytes = vec![0; size];
            view.read(address, &mut bytes).expect("within the memory");
            let mut written = world.written.lock().expect("one thread");
            written[usize::from(fd == 2)].extend(bytes);
            total += size;
        }
        put_u32(view, size_at, total);
        SUCCESS
    })
}

fn args_sizes_get(mut env: Env<'_>, count_at: i32, size_at: i32) -> i32 {
    with(&mut env, |view, world| {
        put_u32(view, count_at, world.arguments.len());
        put_u32(view, size_at, world.arguments.iter().map(Vec::len).sum());
        SUCCESS
    })
}

fn args_get(mut env: Env<'_>, list_at: i32, text_at: i32) -> i32 {
    with(&mut env, |view, world| {
        let (mut entry, mut at) = (list_at, text_at);
        for argument in &world.arguments {
            put_u32(view, entry, at.cast_unsigned() as usize);
            view.write(u64::from(at.cast_unsigned()), argument).expect("within the memory");
            entry += 4;
            at += i32::try_from(argument.len()).expect("a short argument");
        }
        SUCCESS
    })
}

/// The environment is empty.
fn environ_sizes_get(mut env: Env<'_>, count_at: i32, size_at: i32) -> i32 {
    with(&mut env, |view, _| {
        put_u32(view, count_at, 0);
        put_u32(view, size_at, 0);
        SUCCESS
    })
}

fn environ_get(_: Env<'_>, _: i32, _: i32) -> i32 {
    SUCCESS
}

/// Where hash maps get the seed of their order from: a fixed one, so that an answer that depended
/// on it would differ from the native program's.
fn random_get(mut env: Env<'_>, at: i32, size: i32) -> i32 {
    with(&mut env, |view, _| {
        let bytes = vec![0x5a; size.cast_unsigned() as usize];
        view.write(u64::from(at.cast_unsigned()), &bytes).expect("within the memory");
        SUCCESS
    })
}

fn proc_exit(_: Env<'_>, code: i32) -> Result<(), RuntimeError> {
    Err(RuntimeError::user(Box::new(Exit(code))))
}

fn run(engine: &Engine, module: &Module, arguments: &[&str], input: &[u8]) -> Ran {
    let mut store = Store::new(engine.clone());
    let written = Arc::new(Mutex::new([Vec::new(), Vec::new()]));
    let world = World {
        memory: None,
        arguments: std::iter::once(&"pitpet-chain")
            .chain(arguments)
            .map(|argument| [argument.as_bytes(), b"\0"].concat())
            .collect(),
        input: input.to_vec(),
        read: 0,
        written: written.clone(),
    };
    let env = FunctionEnv::new(&mut store, world);
    let imports: Imports = imports! {
        "wasi_snapshot_preview1" => {
            "args_get" => Function::new_typed_with_env(&mut store, &env, args_get),
            "args_sizes_get" => Function::new_typed_with_env(&mut store, &env, args_sizes_get),
            "environ_get" => Function::new_typed_with_env(&mut store, &env, environ_get),
            "environ_sizes_get" => Function::new_typed_with_env(&mut store, &env, environ_sizes_get),
            "fd_read" => Function::new_typed_with_env(&mut store, &env, fd_read),
            "fd_write" => Function::new_typed_with_env(&mut store, &env, fd_write),
            "proc_exit" => Function::new_typed_with_env(&mut store, &env, proc_exit),
            "random_get" => Function::new_typed_with_env(&mut store, &env, random_get),
        }
    };
    let instance = Instance::new(&mut store, module, &imports).expect("it imports nothing else");
    let memory = instance.exports.get_memory("memory").expect("its memory").clone();
    env.as_mut(&mut store).memory = Some(memory);
    let start = instance.exports.get_typed_function::<(), ()>(&store, "_start").expect("a command");
    let code = match start.call(&mut store) {
        Ok(()) => 0,
        Err(error) => error.downcast::<Exit>().expect("it ends by itself, not by a trap").0,
    };
    let [out, err] = written.lock().expect("one thread").clone();
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Ran { code, out: text(out), err: text(err) }
}

#[test]
fn it_speaks_and_verifies_under_wasmer_as_it_does_natively() {
    let engine = Engine::default();
    let module = Module::from_file(&engine, build()).expect("a module that wasmer takes");
    let under_wasmer = support::all(&|arguments, input| run(&engine, &module, arguments, input));
    let natively = support::all(&support::natively);
    assert_eq!(under_wasmer, natively);
}
