//! Contracts out of dice: every instruction that contracts may use, in bodies that are valid by construction.

use ValType::{F32, F64, I32, I64};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataSection, ElementSection, Elements, Encode, ExportKind, ExportSection,
    Function, FunctionSection, GlobalSection, GlobalType, Instruction as I, MemArg, MemorySection, MemoryType, Module,
    RefType, TableSection, TableType, TypeSection, ValType,
};

/// Signatures of the functions that are made up. `execute` calls the first two.
const MADE_UP: [(&[ValType], Option<ValType>); 6] = [
    (&[I32, I64], Some(I64)),
    (&[F64, F32], Some(F64)),
    (&[I32], Some(I32)),
    (&[F32], None),
    (&[], Some(F32)),
    (&[I64, I64], Some(I32)),
];
/// Signatures of the ABI's functions, and their exports.
const ABI: [(&str, &[ValType], Option<ValType>); 4] = [
    ("allocate", &[I32], Some(I32)),
    ("execute", &[I32, I32, I32], Some(I32)),
    ("deallocate", &[I32], None),
    ("interface_version_8", &[], None),
];
/// The first function that is made up.
const FIRST: u32 = ABI.len() as u32;
/// What every function that is made up declares, behind its parameters.
const LOCALS: [ValType; 4] = [I32, I64, F32, F64];
/// Mutable globals.
const GLOBALS: [ValType; 4] = [I32, I64, F32, F64];
/// The global behind them: how often loops may yet begin anew.
const FUEL: u32 = GLOBALS.len() as u32;

/// Numeric instructions by their opcodes: from, to, what they take, what they give.
const NUMERIC: [(u8, u8, &[ValType], ValType); 32] = [
    (0x45, 0x45, &[I32], I32),
    (0x46, 0x4f, &[I32, I32], I32),
    (0x50, 0x50, &[I64], I32),
    (0x51, 0x5a, &[I64, I64], I32),
    (0x5b, 0x60, &[F32, F32], I32),
    (0x61, 0x66, &[F64, F64], I32),
    (0x67, 0x69, &[I32], I32),
    (0x6a, 0x78, &[I32, I32], I32),
    (0x79, 0x7b, &[I64], I64),
    (0x7c, 0x8a, &[I64, I64], I64),
    (0x8b, 0x91, &[F32], F32),
    (0x92, 0x98, &[F32, F32], F32),
    (0x99, 0x9f, &[F64], F64),
    (0xa0, 0xa6, &[F64, F64], F64),
    (0xa7, 0xa7, &[I64], I32),
    (0xa8, 0xa9, &[F32], I32),
    (0xaa, 0xab, &[F64], I32),
    (0xac, 0xad, &[I32], I64),
    (0xae, 0xaf, &[F32], I64),
    (0xb0, 0xb1, &[F64], I64),
    (0xb2, 0xb3, &[I32], F32),
    (0xb4, 0xb5, &[I64], F32),
    (0xb6, 0xb6, &[F64], F32),
    (0xb7, 0xb8, &[I32], F64),
    (0xb9, 0xba, &[I64], F64),
    (0xbb, 0xbb, &[F32], F64),
    (0xbc, 0xbc, &[F32], I32),
    (0xbd, 0xbd, &[F64], I64),
    (0xbe, 0xbe, &[I32], F32),
    (0xbf, 0xbf, &[I64], F64),
    (0xc0, 0xc1, &[I32], I32),
    (0xc2, 0xc4, &[I64], I64),
];
/// Loads by their opcodes, and what they give.
const LOADS: [(u8, u8, ValType); 6] =
    [(0x28, 0x28, I32), (0x2c, 0x2f, I32), (0x29, 0x29, I64), (0x30, 0x35, I64), (0x2a, 0x2a, F32), (0x2b, 0x2b, F64)];
/// Stores, and what they take.
const STORES: [(u8, u8, ValType); 6] =
    [(0x36, 0x36, I32), (0x3a, 0x3b, I32), (0x37, 0x37, I64), (0x3c, 0x3e, I64), (0x38, 0x38, F32), (0x39, 0x39, F64)];
/// Saturating conversions: the second byte of their opcodes, what they take, what they give.
const SATURATING: [(u8, u8, ValType, ValType); 4] =
    [(0, 1, F32, I32), (2, 3, F64, I32), (4, 5, F32, I64), (6, 7, F64, I64)];

/// Bytes to choose by; zeros without end behind them.
struct Dice<'a>(&'a [u8]);

impl Dice<'_> {
    fn byte(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or(0)
    }

    /// Below `count`, which fits a byte.
    fn below(&mut self, count: usize) -> usize {
        usize::from(self.byte()) * count / 256
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    fn word(&mut self) -> u64 {
        // Numbers that arithmetic trips over, and any others.
        match self.byte() {
            0..96 => u64::from(self.byte()),
            96..128 => (u64::from(self.byte())).wrapping_neg(),
            128..160 => 1 << self.below(64),
            160..192 => f64::from(self.byte()).to_bits(),
            192..224 => u64::from((f32::from(self.byte()) / 7.0).to_bits()),
            _ => u64::from_le_bytes(std::array::from_fn(|_| self.byte())),
        }
    }
}

/// What a branch to a block takes, and whether it begins it anew.
#[derive(Clone, Copy)]
struct Label {
    takes: Option<ValType>,
    again: bool,
}

/// A function on its way. Labels are the blocks around, innermost last.
struct Writer<'a, 'd> {
    dice: &'a mut Dice<'d>,
    code: Vec<u8>,
    locals: Vec<ValType>,
    labels: Vec<Label>,
    /// Instructions that may yet be chosen.
    left: u32,
    /// Which of the functions it is.
    index: u32,
}

impl Writer<'_, '_> {
    fn put(&mut self, instruction: &I<'_>) {
        instruction.encode(&mut self.code);
    }

    fn constant(&mut self, ty: ValType) {
        let word = self.dice.word();
        self.put(&match ty {
            I64 => I::I64Const(word.cast_signed()),
            F32 => I::F32Const(f32::from_bits(word as u32).into()),
            F64 => I::F64Const(f64::from_bits(word).into()),
            _ => I::I32Const((word as u32).cast_signed()),
        });
    }

    /// An address, in the memory most of the time.
    fn address(&mut self, depth: u32) {
        self.value(I32, depth);
        if self.dice.byte() < 255 {
            self.put(&I::I32Const(0xffff));
            self.put(&I::I32And);
        }
    }

    fn access(&mut self, opcode: u8) {
        let offset = if self.dice.byte() == 255 { 0xffff_0000 } else { u32::from(self.dice.byte()) };
        self.code.push(opcode);
        self.code.push(0);
        offset.encode(&mut self.code);
    }

    /// Code that leaves a value of this type.
    fn value(&mut self, ty: ValType, depth: u32) {
        self.left = self.left.saturating_sub(1);
        if depth == 0 || self.left == 0 {
            return self.constant(ty);
        }
        let depth = depth - 1;
        match self.dice.byte() {
            0..40 => self.constant(ty),
            40..70 => self.local(ty, false),
            70..85 => self.put(&I::GlobalGet(index_of(&GLOBALS, ty))),
            85..175 => {
                let fitting: Vec<_> = NUMERIC.iter().filter(|(.., gives)| *gives == ty).collect();
                let &(from, to, takes, _) = self.dice.one_of(&fitting);
                takes.iter().for_each(|&ty| self.value(ty, depth));
                let opcode = from + self.dice.below(usize::from(to - from) + 1) as u8;
                self.numeric(opcode);
            }
            175..195 => {
                let fitting: Vec<_> = LOADS.iter().filter(|(.., gives)| *gives == ty).collect();
                let &(from, to, _) = self.dice.one_of(&fitting);
                self.address(depth);
                let opcode = from + self.dice.below(usize::from(to - from) + 1) as u8;
                self.access(opcode);
            }
            195..205 => {
                let fitting: Vec<_> = SATURATING.iter().filter(|(.., gives)| *gives == ty).collect();
                if fitting.is_empty() {
                    return self.constant(ty);
                }
                let &(from, _, takes, _) = self.dice.one_of(&fitting);
                self.value(takes, depth);
                let second = from + self.dice.below(2) as u8;
                self.code.extend([0xfc, second]);
            }
            205..215 => {
                self.value(ty, depth);
                self.value(ty, depth);
                self.value(I32, depth);
                self.put(&I::Select);
            }
            215..230 => self.branching(Some(ty), depth),
            230..240 if ty == I32 => self.put(&I::MemorySize(0)),
            240..243 if ty == I32 => {
                self.value(I32, depth);
                self.put(&I::MemoryGrow(0));
            }
            _ => self.call(ty, depth),
        }
    }

    /// A numeric instruction. Of those that may trap most are made not to, or nothing would come to its end.
    fn numeric(&mut self, opcode: u8) {
        let tame = self.dice.byte() < 250;
        match opcode {
            0x6d..=0x70 if tame => {
                self.put(&I::I32Const(1));
                self.put(&I::I32Or);
            }
            0x7f..=0x82 if tame => {
                self.put(&I::I64Const(1));
                self.put(&I::I64Or);
            }
            0xa8..=0xab if tame => return self.code.extend([0xfc, opcode - 0xa8]),
            0xae..=0xb1 if tame => return self.code.extend([0xfc, opcode - 0xae + 4]),
            _ => {}
        }
        self.code.push(opcode);
    }

    /// A local of the type, read or set with what is on the stack; each type has one.
    fn local(&mut self, ty: ValType, set: bool) {
        let fitting: Vec<u32> =
            (0_u32..).zip(&self.locals).filter(|(_, local)| **local == ty).map(|(at, _)| at).collect();
        let local = self.dice.one_of(&fitting);
        self.put(&if set { I::LocalSet(local) } else { I::LocalGet(local) });
    }

    /// Calls something that gives the type, directly or by the table: further down in the module, or there were no end.
    fn call(&mut self, ty: ValType, depth: u32) {
        let below = if self.dice.byte() == 255 { 0 } else { self.index + 1 };
        let fitting: Vec<u32> = (0_u32..)
            .zip(&MADE_UP)
            .filter(|(at, (_, gives))| *at >= below && *gives == Some(ty))
            .map(|(at, _)| at)
            .collect();
        if fitting.is_empty() {
            return self.constant(ty);
        }
        let at = self.dice.one_of(&fitting);
        MADE_UP[at as usize].0.iter().for_each(|&ty| self.value(ty, depth));
        if self.dice.byte() > 100 {
            self.put(&I::Call(FIRST + at));
        } else {
            // Nearly always of the right type.
            if self.dice.byte() < 250 {
                self.put(&I::I32Const(at.cast_signed()))
            } else {
                self.value(I32, depth)
            }
            self.put(&I::CallIndirect { type_index: FIRST + at, table_index: 0 });
        }
    }

    /// A block, loop or condition around statements.
    fn branching(&mut self, ty: Option<ValType>, depth: u32) {
        let block = ty.map_or(BlockType::Empty, BlockType::Result);
        let kind = self.dice.below(3);
        if kind == 2 {
            self.value(I32, depth);
        }
        // A branch to a loop goes to its beginning and takes nothing.
        self.labels.push(if kind == 1 {
            Label { takes: None, again: true }
        } else {
            Label { takes: ty, again: false }
        });
        self.put(&match kind {
            0 => I::Block(block),
            1 => I::Loop(block),
            _ => I::If(block),
        });
        self.body(ty, depth);
        if kind == 2 {
            self.put(&I::Else);
            self.body(ty, depth);
        }
        self.put(&I::End);
        self.labels.pop();
    }

    /// Some statements, then a value if there has to be one.
    fn body(&mut self, ty: Option<ValType>, depth: u32) {
        for _ in 0..self.dice.below(4) {
            self.statement(depth);
        }
        if let Some(ty) = ty {
            self.value(ty, depth);
        }
    }

    /// Code that leaves nothing.
    fn statement(&mut self, depth: u32) {
        self.left = self.left.saturating_sub(1);
        let Some(depth) = depth.checked_sub(1).filter(|_| self.left > 0) else { return };
        let ty = self.dice.one_of(&LOCALS);
        match self.dice.byte() {
            0..70 => {
                self.value(ty, depth);
                self.local(ty, true);
            }
            70..90 => {
                self.value(ty, depth);
                self.put(&I::GlobalSet(index_of(&GLOBALS, ty)));
            }
            90..150 => {
                let &(from, to, takes) = &self.dice.one_of(&STORES);
                self.address(depth);
                self.value(takes, depth);
                let opcode = from + self.dice.below(usize::from(to - from) + 1) as u8;
                self.access(opcode);
            }
            150..185 => self.branching(None, depth),
            185..215 => self.branch(depth),
            215..240 => {
                (0..3).for_each(|_| self.address(depth.min(1)));
                let bulk = self.dice.one_of(&[true, false]);
                self.put(&if bulk { I::MemoryFill(0) } else { I::MemoryCopy { src_mem: 0, dst_mem: 0 } });
            }
            240..250 => {
                self.value(ty, depth);
                self.put(&I::Drop);
            }
            250 => self.put(&I::Unreachable),
            _ if self.index < 3 => {
                self.value(F32, depth);
                self.put(&I::Call(FIRST + 3));
            }
            _ => self.put(&I::Nop),
        }
    }

    /// A branch that is taken or not, to any block around; what it would take stays behind it.
    fn branch(&mut self, depth: u32) {
        let at = self.dice.below(self.labels.len());
        let label = (self.labels.len() - 1 - at) as u32;
        let Label { takes, again } = self.labels[at];
        if let Some(ty) = takes {
            self.value(ty, depth);
        }
        self.value(I32, depth);
        if again {
            // Loops go on while there is fuel.
            for instruction in [I::GlobalGet(FUEL), I::I32Const(1), I::I32Sub, I::GlobalSet(FUEL)] {
                self.put(&instruction);
            }
            for instruction in [I::GlobalGet(FUEL), I::I32Const(0), I::I32GtS, I::I32And] {
                self.put(&instruction);
            }
        }
        self.put(&I::BrIf(label));
        if takes.is_some() {
            self.put(&I::Drop);
        }
    }
}

fn index_of(types: &[ValType], ty: ValType) -> u32 {
    types.iter().position(|other| *other == ty).unwrap_or(0) as u32
}

/// A contract whose `execute` calls two functions that are made up with what its message holds, and answers with the first
/// page of its memory, their results in it.
pub fn module(bytes: &[u8]) -> Vec<u8> {
    let mut dice = Dice(bytes);
    let (mut types, mut functions, mut exports, mut code) =
        (TypeSection::new(), FunctionSection::new(), ExportSection::new(), CodeSection::new());
    let signatures = ABI.iter().map(|&(_, takes, gives)| (takes, gives)).chain(MADE_UP);
    for (index, (takes, gives)) in (0..).zip(signatures) {
        types.ty().function(takes.iter().copied(), gives);
        functions.function(index);
    }
    for (index, (name, ..)) in (0..).zip(&ABI) {
        exports.export(name, ExportKind::Func, index);
    }
    exports.export("memory", ExportKind::Memory, 0);

    code.function(&allocate()).function(&execute());
    for _ in 2..ABI.len() {
        code.raw(&[0, 0x0b]);
    }
    for (index, (takes, gives)) in (0..).zip(MADE_UP) {
        let locals = [takes, &LOCALS].concat();
        let mut writer = Writer {
            dice: &mut dice,
            code: Vec::new(),
            locals,
            labels: vec![Label { takes: gives, again: false }],
            left: 300,
            index,
        };
        for _ in 0..6 {
            writer.statement(5);
        }
        writer.body(gives, 5);
        writer.put(&I::End);
        let body = writer.code;
        let mut function = Vec::new();
        LOCALS.len().encode(&mut function);
        LOCALS.iter().for_each(|ty| {
            1_u32.encode(&mut function);
            ty.encode(&mut function);
        });
        function.extend(body);
        code.raw(&function);
    }

    let made_up: Vec<u32> = (FIRST..).take(MADE_UP.len()).collect();
    let (mut memories, mut tables, mut globals) = (MemorySection::new(), TableSection::new(), GlobalSection::new());
    memories.memory(MemoryType { minimum: 2, maximum: Some(20), memory64: false, shared: false, page_size_log2: None });
    let limits =
        TableType { element_type: RefType::FUNCREF, table64: false, minimum: 8, maximum: Some(8), shared: false };
    tables.table(limits);
    let zeros = [
        ConstExpr::i32_const(0),
        ConstExpr::i64_const(0),
        ConstExpr::f32_const(0.0.into()),
        ConstExpr::f64_const(0.0.into()),
    ];
    for (val_type, zero) in GLOBALS.into_iter().zip(&zeros) {
        globals.global(GlobalType { val_type, mutable: true, shared: false }, zero);
    }
    globals.global(GlobalType { val_type: I32, mutable: true, shared: false }, &ConstExpr::i32_const(100));
    let (mut elements, mut data) = (ElementSection::new(), DataSection::new());
    elements.active(None, &ConstExpr::i32_const(0), Elements::Functions(made_up.into()));
    data.active(0, &ConstExpr::i32_const(2048), bytes.iter().copied().take(256));
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&tables).section(&memories).section(&globals);
    module.section(&exports).section(&elements).section(&code).section(&data);
    module.finish()
}

fn at(offset: u64) -> MemArg {
    MemArg { offset, align: 0, memory_index: 0 }
}

/// A region of so many bytes at 64 times as many: arguments are of different lengths.
fn allocate() -> Function {
    let mut function = Function::new([(1, I32)]);
    function.instructions().local_get(0).i32_const(64).i32_mul().local_tee(1);
    function.instructions().local_get(1).i32_const(12).i32_add().i32_store(at(0));
    function.instructions().local_get(1).local_get(0).i32_store(at(4));
    function.instructions().local_get(1).i32_const(0).i32_store(at(8)).local_get(1).end();
    function
}

fn execute() -> Function {
    let mut function = Function::new([]);
    function.instructions().i32_const(1024).local_get(2).i32_load(at(12)).local_get(2).i64_load(at(16));
    function.instructions().call(FIRST).i64_store(at(0));
    function.instructions().i32_const(1032).local_get(2).f64_load(at(20)).local_get(2).f32_load(at(28));
    function.instructions().call(FIRST + 1).f64_store(at(0));
    for (offset, word) in [(32, 1024), (36, 64_512), (40, 64_512)] {
        function.instructions().i32_const(offset).i32_const(word).i32_store(at(0));
    }
    function.instructions().i32_const(32).end();
    function
}
