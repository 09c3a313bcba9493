//! The sections around the code: how much of each there may be, and what is remembered of it.

use wasmparser::{
    CompositeInnerType, ConstExpr, DataKind, DataSectionReader, ElementItems, ElementKind, ElementSectionReader,
    Encoding, ExportSectionReader, ExternalKind, FunctionSectionReader, GlobalSectionReader, ImportSectionReader,
    MemorySectionReader, Operator, Payload, RefType, TableSectionReader, TypeRef, TypeSectionReader,
};

use super::{features, invalid, limit};
use crate::CheckError;
use crate::limits::{
    ELEMENTS_MAX, EXPORTS_MAX, FUNCTION_PARAMS_MAX, FUNCTION_RESULTS_MAX, FUNCTIONS_MAX, GLOBALS_MAX, IMPORTS_MAX,
    MEMORY_PAGES_MAX, TABLE_ELEMENTS_MAX, TOTAL_PARAMS_MAX,
};

/// Bytes of a page of linear memory.
const PAGE: u64 = 64 << 10;

/// An import or an export.
pub(super) struct Named {
    pub(super) module: String,
    pub(super) name: String,
    pub(super) kind: ExternalKind,
    /// For an import the index of its type, for an export that of the function.
    pub(super) index: u32,
}

/// What is remembered of the sections seen so far.
#[derive(Default)]
pub(super) struct Sections {
    params_of_types: Vec<usize>,
    pub(super) imports: Vec<Named>,
    pub(super) exports: Vec<Named>,
    pub(super) globals: u32,
    pub(super) migrate_version: Option<u64>,
    memory_bytes: u64,
    table_elements: u64,
    memories: usize,
}

impl Sections {
    /// Looks at one part of the module, before wasm's own rules are applied to it.
    pub(super) fn see(&mut self, payload: &Payload<'_>) -> Result<(), CheckError> {
        match payload {
            Payload::Version { encoding: Encoding::Component, range, .. } => {
                Err(CheckError::Feature { feature: "components", place: "header", offset: range.start })
            }
            Payload::TypeSection(reader) => self.types(reader.clone()),
            Payload::ImportSection(reader) => self.imports(reader.clone()),
            Payload::FunctionSection(reader) => self.functions(reader.clone()),
            Payload::TableSection(reader) => self.tables(reader.clone()),
            Payload::MemorySection(reader) => self.memories(reader.clone()),
            Payload::TagSection(reader) => {
                Err(CheckError::Feature { feature: "exceptions", place: "tag section", offset: reader.range().start })
            }
            Payload::GlobalSection(reader) => self.globals(reader.clone()),
            Payload::ExportSection(reader) => self.exports(reader.clone()),
            Payload::StartSection { func, .. } => Err(CheckError::Start(*func)),
            Payload::ElementSection(reader) => self.elements(reader.clone()),
            Payload::DataSection(reader) => self.data(reader.clone()),
            Payload::CustomSection(reader) if reader.name() == "cw_migrate_version" => {
                let text = String::from_utf8_lossy(reader.data());
                let number = text.parse().map_err(|_| CheckError::MigrateVersion(text.chars().take(32).collect()))?;
                self.migrate_version = Some(number);
                Ok(())
            }
            Payload::End(_) if self.memories != 1 => Err(CheckError::Memories(self.memories)),
            _ => Ok(()),
        }
    }

    fn types(&mut self, reader: TypeSectionReader<'_>) -> Result<(), CheckError> {
        for group in reader {
            for (offset, ty) in group.map_err(invalid)?.into_types_and_offsets() {
                let CompositeInnerType::Func(function) = &ty.composite_type.inner else {
                    // Structures, arrays and continuations: the validator names what they belong to.
                    self.params_of_types.push(0);
                    continue;
                };
                let types = function.params().iter().chain(function.results());
                if let Some(feature) = types.copied().find_map(features::forbidden_type) {
                    return Err(CheckError::Feature { feature, place: "function type", offset });
                }
                limit("parameters of a function type", function.params().len(), FUNCTION_PARAMS_MAX)?;
                limit("results of a function type", function.results().len(), FUNCTION_RESULTS_MAX)?;
                self.params_of_types.push(function.params().len());
            }
        }
        Ok(())
    }

    fn imports(&mut self, reader: ImportSectionReader<'_>) -> Result<(), CheckError> {
        for import in reader.into_imports() {
            let import = import.map_err(invalid)?;
            let (kind, index) = match import.ty {
                TypeRef::Func(index) => (ExternalKind::Func, index),
                TypeRef::Table(_) => (ExternalKind::Table, 0),
                TypeRef::Memory(_) => (ExternalKind::Memory, 0),
                TypeRef::Global(_) => (ExternalKind::Global, 0),
                _ => (ExternalKind::Tag, 0),
            };
            self.imports.push(Named { module: import.module.into(), name: import.name.into(), kind, index });
            limit("imports", self.imports.len(), IMPORTS_MAX)?;
        }
        Ok(())
    }

    fn functions(&mut self, reader: FunctionSectionReader<'_>) -> Result<(), CheckError> {
        limit("functions", usize::try_from(reader.count()).unwrap_or(usize::MAX), FUNCTIONS_MAX)?;
        let mut total = 0usize;
        for ty in reader {
            let ty = usize::try_from(ty.map_err(invalid)?).unwrap_or(usize::MAX);
            total = total.saturating_add(self.params_of_types.get(ty).copied().unwrap_or(0));
            limit("parameters in total", total, TOTAL_PARAMS_MAX)?;
        }
        Ok(())
    }

    fn tables(&mut self, reader: TableSectionReader<'_>) -> Result<(), CheckError> {
        limit("tables", usize::try_from(reader.count()).unwrap_or(usize::MAX), 1)?;
        for table in reader.into_iter_with_offsets() {
            let (offset, table) = table.map_err(invalid)?;
            let feature = match table.ty {
                ty if ty.table64 => Some("memory64"),
                ty if ty.shared => Some("shared-everything threads"),
                ty if ty.element_type != RefType::FUNCREF => Some("reference types"),
                _ => None,
            };
            if let Some(feature) = feature {
                return Err(CheckError::Feature { feature, place: "table", offset });
            }
            let maximum = table.ty.maximum.ok_or(CheckError::UnboundedTable { limit: TABLE_ELEMENTS_MAX })?;
            let most = usize::try_from(maximum.max(table.ty.initial)).unwrap_or(usize::MAX);
            limit("table elements", most, ELEMENTS_MAX)?;
            self.table_elements = table.ty.initial;
        }
        Ok(())
    }

    fn memories(&mut self, reader: MemorySectionReader<'_>) -> Result<(), CheckError> {
        for memory in reader.into_iter_with_offsets() {
            let (offset, memory) = memory.map_err(invalid)?;
            let feature = match memory {
                memory if memory.memory64 => Some("memory64"),
                memory if memory.shared => Some("threads"),
                memory if memory.page_size_log2.is_some() => Some("custom page sizes"),
                _ => None,
            };
            if let Some(feature) = feature {
                return Err(CheckError::Feature { feature, place: "memory", offset });
            }
            self.memories += 1;
            if self.memories > 1 {
                return Err(CheckError::Feature { feature: "multiple memories", place: "memory", offset });
            }
            for pages in [Some(memory.initial), memory.maximum].into_iter().flatten() {
                let pages = usize::try_from(pages).unwrap_or(usize::MAX);
                limit("pages of memory", pages, usize::try_from(MEMORY_PAGES_MAX).unwrap_or(usize::MAX))?;
            }
            self.memory_bytes = memory.initial.saturating_mul(PAGE);
        }
        Ok(())
    }

    fn globals(&mut self, reader: GlobalSectionReader<'_>) -> Result<(), CheckError> {
        self.globals = reader.count();
        limit("globals", usize::try_from(reader.count()).unwrap_or(usize::MAX), GLOBALS_MAX)?;
        for global in reader.into_iter_with_offsets() {
            let (offset, global) = global.map_err(invalid)?;
            if let Some(feature) = features::forbidden_type(global.ty.content_type) {
                return Err(CheckError::Feature { feature, place: "global", offset });
            }
            if global.ty.shared {
                return Err(CheckError::Feature { feature: "shared-everything threads", place: "global", offset });
            }
        }
        Ok(())
    }

    fn exports(&mut self, reader: ExportSectionReader<'_>) -> Result<(), CheckError> {
        limit("exports", usize::try_from(reader.count()).unwrap_or(usize::MAX), EXPORTS_MAX)?;
        for export in reader {
            let export = export.map_err(invalid)?;
            if export.name.starts_with(super::RESERVED_PREFIX) {
                return Err(CheckError::ReservedExport(export.name.into()));
            }
            let name = export.name.into();
            self.exports.push(Named { module: String::new(), name, kind: export.kind, index: export.index });
        }
        Ok(())
    }

    /// Elements are set anew in every instance: few of them, and all where they belong.
    fn elements(&mut self, reader: ElementSectionReader<'_>) -> Result<(), CheckError> {
        let mut total = 0usize;
        for (index, element) in reader.into_iter().enumerate() {
            let element = element.map_err(invalid)?;
            let problem = |problem| CheckError::Segment { kind: "element", index, problem };
            let count = match &element.items {
                ElementItems::Functions(items) => items.count(),
                ElementItems::Expressions(_, items) => items.count(),
            };
            let ElementKind::Active { offset_expr, .. } = element.kind else {
                return Err(problem("only active segments are allowed"));
            };
            let offset = constant(&offset_expr)?.ok_or_else(|| problem("its offset is not a constant"))?;
            if u64::from(offset) + u64::from(count) > self.table_elements {
                return Err(problem("it ends outside the table"));
            }
            total = total.saturating_add(usize::try_from(count).unwrap_or(usize::MAX));
            limit("elements in segments", total, ELEMENTS_MAX)?;
        }
        Ok(())
    }

    /// Data is copied into every instance; there is no more of it than the module has bytes. It must lie in memory.
    fn data(&mut self, reader: DataSectionReader<'_>) -> Result<(), CheckError> {
        for (index, data) in reader.into_iter().enumerate() {
            let data = data.map_err(invalid)?;
            let DataKind::Active { offset_expr, .. } = &data.kind else { continue };
            let problem = |problem| CheckError::Segment { kind: "data", index, problem };
            let offset = constant(offset_expr)?.ok_or_else(|| problem("its offset is not a constant"))?;
            if u64::from(offset) + data.data.len() as u64 > self.memory_bytes {
                return Err(problem("it ends outside the initial memory"));
            }
        }
        Ok(())
    }
}

/// The value of `i32.const N end`, none for any other expression.
fn constant(expression: &ConstExpr<'_>) -> Result<Option<u32>, CheckError> {
    let mut reader = expression.get_operators_reader();
    let value = match reader.read().map_err(invalid)? {
        Operator::I32Const { value } => value.cast_unsigned(),
        _ => return Ok(None),
    };
    Ok(matches!(reader.read().map_err(invalid)?, Operator::End).then_some(value))
}
