//! Code on disk and in memory: what is lost or spoiled there costs time and nothing else.

use std::fs;
use std::path::PathBuf;

use aceso_vm::{Call, Entry, Lane, Tier, Vm, VmConfig, VmError};

use crate::fixture::{Contract, PLENTY, checksum, execute};
use crate::mock::Mock;

fn open(dir: &tempfile::TempDir) -> Vm {
    let mut config = VmConfig::new(dir.path());
    (config.instances, config.block_instances) = (2, 1);
    Vm::new(config).unwrap()
}

fn call(vm: &Vm, wasm: &[u8]) -> aceso_vm::Report {
    let checksum = checksum(wasm);
    let args: [&[u8]; 3] = [b"1", b"2", b"3"];
    let call = Call { checksum: &checksum, entry: Entry::Execute, args: &args, gas_limit: PLENTY, lane: Lane::Block };
    vm.call(&call, &mut Mock::default())
}

/// The file with the machine code.
fn machine_code(dir: &tempfile::TempDir, wasm: &[u8]) -> PathBuf {
    let mut folders = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let folder = folders.find(|path| path.file_name().unwrap().to_string_lossy().starts_with("compiled-")).unwrap();
    folder.join(checksum(wasm).to_string())
}

#[test]
fn code_is_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let wasm = execute("(local.get 2)");
    let vm = open(&dir);
    assert_eq!(vm.put(&wasm).unwrap(), vm.put(&wasm).unwrap());
    let first = call(&vm, &wasm);
    assert_eq!(first.result.as_deref(), Ok(&b"3"[..]));
    assert_eq!(vm.stats().codes, 1);
    drop(vm);

    let vm = open(&dir);
    assert!(vm.has(&checksum(&wasm)));
    assert_eq!(vm.stats().codes, 0);
    assert_eq!(call(&vm, &wasm), first);
    assert_eq!(vm.stats().codes, 1);
}

#[test]
fn spoiled_machine_code_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (wasm, other) = (execute("(local.get 2)"), execute("(local.get 1)"));
    let vm = open(&dir);
    vm.put(&wasm).unwrap();
    vm.put(&other).unwrap();
    let expected = call(&vm, &wasm);
    drop(vm);

    let path = machine_code(&dir, &wasm);
    let sound = fs::read(&path).unwrap();
    let mut flipped = sound.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let foreign = fs::read(machine_code(&dir, &other)).unwrap();
    for spoiled in
        [flipped, sound[..sound.len() - 1].to_vec(), sound[..31].to_vec(), Vec::new(), foreign, vec![0; 4096]]
    {
        fs::write(&path, spoiled).unwrap();
        assert_eq!(call(&open(&dir), &wasm), expected);
        assert_eq!(fs::read(&path).unwrap(), sound);
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(call(&open(&dir), &wasm), expected);
    assert!(path.exists());
}

#[test]
fn machine_code_that_was_sound_and_is_replaced_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (wasm, other) = (execute("(local.get 2)"), execute("(local.get 1)"));
    let mut config = VmConfig::new(dir.path());
    // One code has room, so that each call of another reads a file.
    (config.instances, config.block_instances, config.code_bytes) = (2, 1, 1);
    let vm = Vm::new(config).unwrap();
    vm.put(&wasm).unwrap();
    vm.put(&other).unwrap();
    let [first, second] = [&wasm, &other].map(|wasm| call(&vm, wasm));
    for _ in 0..3 {
        assert_eq!((call(&vm, &wasm), call(&vm, &other)), (first.clone(), second.clone()));
    }
    // The other's machine code has the place of the one that is not in memory.
    let path = machine_code(&dir, &wasm);
    let sound = fs::read(&path).unwrap();
    fs::copy(machine_code(&dir, &other), dir.path().join("copy")).unwrap();
    fs::rename(dir.path().join("copy"), &path).unwrap();
    assert_eq!(call(&vm, &wasm), first);
    assert_eq!(fs::read(&path).unwrap(), sound);
    // Written to where it stands, while it is not mapped.
    assert_eq!(call(&vm, &other), second);
    let mut flipped = sound.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    fs::write(&path, flipped).unwrap();
    assert_eq!(call(&vm, &wasm), first);
    assert_eq!(fs::read(&path).unwrap(), sound);
}

#[test]
fn spoiled_wasm_is_not_run() {
    let dir = tempfile::tempdir().unwrap();
    let wasm = execute("(local.get 2)");
    open(&dir).put(&wasm).unwrap();
    fs::remove_file(machine_code(&dir, &wasm)).unwrap();
    fs::write(dir.path().join("wasm").join(checksum(&wasm).to_string()), execute("(local.get 1)")).unwrap();
    let vm = open(&dir);
    assert!(matches!(call(&vm, &wasm).result, Err(VmError::Local(_))));
    vm.put(&wasm).unwrap();
    assert!(call(&vm, &wasm).result.is_ok());
}

#[test]
fn memory_holds_the_latest() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = VmConfig::new(dir.path());
    (config.instances, config.block_instances, config.code_bytes) = (2, 1, 1);
    let vm = Vm::new(config).unwrap();
    let codes: Vec<_> = (0..4)
        .map(|i| {
            Contract { execute: &format!("(local.get {})", i % 3), extra: &"(func)".repeat(i), ..Contract::default() }
                .wasm()
        })
        .collect();
    for wasm in &codes {
        vm.put(wasm).unwrap();
        assert_eq!(vm.stats().codes, 1);
    }
    let bytes = vm.stats().code_bytes;
    for wasm in codes.iter().chain(&codes) {
        assert!(call(&vm, wasm).result.is_ok());
        assert_eq!(vm.stats().codes, 1);
    }
    assert_eq!(vm.stats().code_bytes, bytes);
}

#[test]
fn what_nobody_calls_takes_a_part_of_the_room() {
    let codes: Vec<_> =
        (0..20).map(|i| Contract { extra: &"(func)".repeat(i), ..Contract::default() }.wasm()).collect();
    let dir = tempfile::tempdir().unwrap();
    let largest = {
        let vm = open(&dir);
        vm.put(codes.last().unwrap()).unwrap();
        vm.stats().code_bytes
    };
    let mut config = VmConfig::new(dir.path());
    // Room for 192 of them, and for three that nobody calls.
    (config.instances, config.block_instances, config.code_bytes) = (2, 1, largest * 192);
    let vm = Vm::new(config).unwrap();
    for wasm in &codes {
        vm.put(wasm).unwrap();
    }
    assert_eq!(vm.stats().codes, 3);
    // What is called stays, and what is put then does not push it out.
    for wasm in &codes[..10] {
        assert!(call(&vm, wasm).result.is_ok());
    }
    assert_eq!((vm.stats().codes, vm.stats().code_misses), (13, 10));
    for wasm in &codes[10..] {
        vm.put(wasm).unwrap();
    }
    assert_eq!(vm.stats().codes, 13);
    for wasm in &codes[..10] {
        assert!(call(&vm, wasm).result.is_ok());
    }
    assert_eq!(vm.stats().code_misses, 10);
}

#[test]
fn a_directory_that_cannot_be_made() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = Vm::new(VmConfig::new(&file)).unwrap_err();
    assert!(error.is_local() && error.to_string().starts_with("cannot create "), "{error}");
}

#[test]
#[allow(clippy::disallowed_methods, reason = "what is compiled behind is waited for")]
fn a_large_contract_runs_at_once_and_is_compiled_better_behind() {
    let dir = tempfile::tempdir().unwrap();
    let bodies: String =
        (0..400).map(|n| format!("(func (result i32) (i32.add (i32.const {n}) (i32.const 7)))")).collect();
    // A loop, so that what is counted in it shows.
    let work = "(local $n i32) (local.set $n (i32.const 1000))
        (loop $again (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))) (local.get 2)";
    let padding = format!(r#"(data (i32.const 30000) "{}")"#, "x".repeat(20_000));
    let wasm = Contract { execute: work, extra: &[bodies, padding].concat(), ..Contract::default() }.wasm();
    let open = |dir: &tempfile::TempDir| {
        let mut config = VmConfig::new(dir.path());
        (config.instances, config.block_instances, config.tier) = (2, 1, Tier::Tiered);
        Vm::new(config).unwrap()
    };
    let vm = open(&dir);
    vm.put(&wasm).unwrap();
    let first = call(&vm, &wasm);
    assert_eq!(first.result.as_deref(), Ok(&b"3"[..]));
    let path = machine_code(&dir, &wasm);
    let begun = std::time::Instant::now();
    let improved = |vm: &Vm| {
        while vm.stats().drafts > 0 {
            assert!(begun.elapsed().as_secs() < 60, "nothing better was made");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert!(path.exists());
    };
    // Replaced in memory, and read from the disk by the next.
    improved(&vm);
    assert_eq!(call(&vm, &wasm), first);
    let stats = vm.stats();
    assert_eq!((stats.codes, stats.code_misses), (1, 0));
    drop(vm);
    let vm = open(&dir);
    assert_eq!(call(&vm, &wasm), first);
    // Without its file it is drafted and compiled again.
    drop(vm);
    fs::remove_file(&path).unwrap();
    let vm = open(&dir);
    assert_eq!(vm.stats().drafts, 0);
    assert_eq!(call(&vm, &wasm), first);
    improved(&vm);
}
