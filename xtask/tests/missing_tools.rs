//! A machine without the programs that tasks use: one line that names the program and how to install it, before
//! anything is built.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "the programs of this machine are found by its PATH")]

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::Command,
};

use expect_test::{Expect, expect};
use tempfile::TempDir;

/// A machine that has these programs and no others.
fn machine(programs: &[&str]) -> TempDir {
    let bin = tempfile::tempdir().unwrap();
    let path = std::env::var_os("PATH").unwrap();
    for program in programs {
        let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file());
        symlink(found.unwrap_or_else(|| panic!("{program} is not in PATH")), bin.path().join(program)).unwrap();
    }
    bin
}

/// Runs a task there: exit code, standard output, the errors on standard error.
fn task(machine: &Path, arguments: &[&str]) -> (i32, String, String) {
    let target = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments).env_clear().env("PATH", machine).env("CARGO_TARGET_DIR", target.path());
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    assert!(!error.contains("panicked") && !error.contains("backtrace"), "{error}");
    // What begins with a dot says what is being done.
    let errors: Vec<&str> = error.lines().filter(|line| !line.starts_with('·')).collect();
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0, "something was built");
    (output.status.code().unwrap(), out, errors.join("\n"))
}

#[track_caller]
fn check(machine: &Path, arguments: &[&str], expected: Expect) {
    let (code, _, error) = task(machine, arguments);
    assert_eq!(code, 1, "{arguments:?}: {error}");
    expected.assert_eq(&error);
}

/// The same error for each of these tasks.
#[track_caller]
fn check_all(machine: &Path, tasks: [&[&str]; 3], expected: Expect) {
    let [first, others @ ..] = tasks.map(|arguments| task(machine, arguments)).map(|(code, _, error)| (code, error));
    assert!(others.iter().all(|other| *other == first), "{first:?}: {others:?}");
    assert_eq!(first.0, 1);
    expected.assert_eq(&first.1);
}

#[test]
fn no_go_and_no_cometbft() {
    let machine = machine(&[]);
    let expected = expect![
        "error: CometBFT 0.38 is not installed and neither is Go, to build it; Debian: `apt-get install golang-go` (Go ≥ 1.22 is needed), then `cargo xtask cometbft`"
    ];
    let tasks = [&["cometbft"][..], &["demo", "--cometbft"], &["test", "--only", "cometbft"]];
    check_all(machine.path(), tasks, expected);
}

#[test]
fn no_node() {
    let machine = machine(&[]);
    check(
        machine.path(),
        &["ui"],
        expect!["error: Node.js ≥ 20 with npm is needed; Debian: `apt-get install nodejs npm`"],
    );
    for suite in ["cosmjs", "js"] {
        let (code, out, error) = task(machine.path(), &["test", "--only", suite]);
        assert_eq!((code, error.contains("`apt-get install nodejs npm`")), (1, true), "{error}");
        assert!(out.ends_with("0 passed, 1 failed, 0 skipped\n"), "{out}");
        // A skip is counted, and no suite at all is no success either.
        let (code, out, _) = task(machine.path(), &["test", "--only", suite, "--allow-skip"]);
        assert_eq!((code, out.ends_with("0 passed, 0 failed, 1 skipped\n")), (1, true), "{out}");
    }
}

#[test]
fn no_chromium() {
    check(
        machine(&[]).path(),
        &["test", "--only", "browser"],
        expect!["error: Chromium is not installed; Debian: `apt-get install chromium`"],
    );
}

#[test]
fn no_wasm_target() {
    let machine = machine(&["bash", "awk", "find", "wc", "rm"]);
    // A compiler whose folder holds no library for any target.
    let rustc = machine.path().join("rustc");
    let sysroot = tempfile::tempdir().unwrap();
    fs::write(
        &rustc,
        format!(
            "#!/usr/bin/env -S bash\ncase $1 in --print) echo {} ;; *) echo rustc 1.95.0 ;; esac\n",
            sysroot.path().display()
        ),
    )
    .unwrap();
    fs::set_permissions(&rustc, fs::Permissions::from_mode(0o755)).unwrap();
    let expected = expect![
        "error: rustc has no target wasm32-unknown-unknown; `rustup target add wasm32-unknown-unknown` (there is no rustup with network, and no apt-get to build it from rust-src)"
    ];
    check_all(machine.path(), [&["contracts"][..], &["demo"], &["test", "--only", "journey"]], expected);
    fs::remove_file(machine.path().join("bash")).unwrap();
    fs::write(&rustc, format!("#!/bin/sh\necho {}\n", sysroot.path().display())).unwrap();
    check(
        machine.path(),
        &["contracts"],
        expect![
            "error: rustc has no target wasm32-unknown-unknown; `rustup target add wasm32-unknown-unknown` (bash cannot be started: No such file or directory (os error 2))"
        ],
    );
}
