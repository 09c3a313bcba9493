//! The ABI: what a contract must export and may import.

use std::collections::BTreeSet;

use wasmparser::ExternalKind;
use wasmparser::types::TypesRef;

use super::sections::{Named, Sections};
use crate::imports::{self, Signature};
use crate::{CheckError, Entry};

const INTERFACE_PREFIX: &str = "interface_version_";
const INTERFACE: &str = "interface_version_8";
const CAPABILITY_PREFIX: &str = "requires_";

/// Checks imports, exports, markers and capabilities.
pub(super) fn check(
    sections: &Sections,
    types: TypesRef<'_>,
    available: Option<&BTreeSet<String>>,
) -> Result<(), CheckError> {
    for import in &sections.imports {
        check_import(import, types)?;
    }

    let found: Vec<String> =
        functions(sections).filter(|name| name.starts_with(INTERFACE_PREFIX)).map(Into::into).collect();
    if found != [INTERFACE] {
        return Err(CheckError::InterfaceVersion { found });
    }

    check_export(sections, types, "allocate", &["(i32) -> i32"])?;
    check_export(sections, types, "deallocate", &["(i32)"])?;
    if !sections.exports.iter().any(|export| export.name == "memory" && export.kind == ExternalKind::Memory) {
        return Err(CheckError::MissingExport { name: "memory", want: "the memory" });
    }
    if has(sections, "_initialize") {
        check_export(sections, types, "_initialize", &["()"])?;
    }
    for entry in Entry::ALL.iter().filter(|entry| has(sections, entry.name())) {
        let wants: Vec<String> =
            entry.arities().iter().map(|&args| describe(&vec!["i32"; args], Some("i32"))).collect();
        let wants: Vec<&str> = wants.iter().map(String::as_str).collect();
        check_export(sections, types, entry.name(), &wants)?;
    }

    let required = capabilities(sections);
    if let Some(available) = available
        && !required.is_subset(available)
    {
        return Err(CheckError::Capabilities { missing: required.difference(available).cloned().collect() });
    }
    match sections.imports.iter().find(|import| imports::INFERENCE_MODULES.contains(&import.module.as_str())) {
        Some(import) if !required.contains("aceso") => Err(CheckError::Undeclared { module: import.module.clone() }),
        _ => Ok(()),
    }
}

/// What the `requires_*` exports name.
pub(super) fn capabilities(sections: &Sections) -> BTreeSet<String> {
    functions(sections).filter_map(|name| name.strip_prefix(CAPABILITY_PREFIX)).map(Into::into).collect()
}

/// The entry points among the exports.
pub(super) fn entry_points(sections: &Sections) -> BTreeSet<Entry> {
    Entry::ALL.iter().copied().filter(|entry| has(sections, entry.name())).collect()
}

fn functions(sections: &Sections) -> impl Iterator<Item = &str> {
    sections.exports.iter().filter(|export| export.kind == ExternalKind::Func).map(|export| export.name.as_str())
}

fn has(sections: &Sections, name: &str) -> bool {
    functions(sections).any(|export| export == name)
}

fn check_import(import: &Named, types: TypesRef<'_>) -> Result<(), CheckError> {
    let (module, name) = (import.module.clone(), import.name.clone());
    let Some(signature) = imports::signature(&module, &name) else {
        let hint = imports::hint(&module, &name);
        return Err(CheckError::UnknownImport {
            module: module.chars().take(64).collect(),
            name: name.chars().take(64).collect(),
            hint,
        });
    };
    let got = match import.kind {
        ExternalKind::Func => of_type(types, import.index),
        kind => kind_name(kind).into(),
    };
    let want = want(signature);
    if got == want { Ok(()) } else { Err(CheckError::ImportType { module, name, got, want }) }
}

fn check_export(
    sections: &Sections,
    types: TypesRef<'_>,
    name: &'static str,
    wants: &[&str],
) -> Result<(), CheckError> {
    let Some(export) = sections.exports.iter().find(|export| export.name == name) else {
        return Err(CheckError::MissingExport { name, want: "a function" });
    };
    let got = match export.kind {
        ExternalKind::Func => {
            let index = types.core_function_at(export.index);
            types.get(index).map(|ty| ty.unwrap_func()).map_or_else(String::new, of_function)
        }
        kind => kind_name(kind).into(),
    };
    if wants.contains(&got.as_str()) {
        Ok(())
    } else {
        Err(CheckError::ExportType { name: name.into(), got, want: wants.join(" or ") })
    }
}

fn want(signature: &Signature) -> String {
    let params: Vec<&str> = signature.params.iter().map(|ty| ty.name()).collect();
    describe(&params, signature.result.map(imports::Scalar::name))
}

fn of_type(types: TypesRef<'_>, index: u32) -> String {
    let id = types.core_type_at_in_module(index);
    types.get(id).map(|ty| ty.unwrap_func()).map_or_else(String::new, of_function)
}

fn of_function(ty: &wasmparser::FuncType) -> String {
    let params: Vec<String> = ty.params().iter().map(ToString::to_string).collect();
    let params: Vec<&str> = params.iter().map(String::as_str).collect();
    let result = ty.results().first().map(ToString::to_string);
    describe(&params, result.as_deref())
}

/// `(i32, i32) -> i32`
fn describe(params: &[&str], result: Option<&str>) -> String {
    let params = params.join(", ");
    match result {
        Some(result) => format!("({params}) -> {result}"),
        None => format!("({params})"),
    }
}

fn kind_name(kind: ExternalKind) -> &'static str {
    match kind {
        ExternalKind::Func | ExternalKind::FuncExact => "a function",
        ExternalKind::Table => "a table",
        ExternalKind::Memory => "a memory",
        ExternalKind::Global => "a global",
        ExternalKind::Tag => "a tag",
    }
}
