//! Bounds an instance's linear memory, and remembers that a module asked for more.

use std::{
    ptr::NonNull,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use wasmer::{
    MemoryError, MemoryType, Pages, TableType,
    sys::{
        BaseTunables, Tunables,
        vm::{
            LinearMemory, MemoryStyle, TableStyle, VMMemory, VMMemoryDefinition, VMTable, VMTableDefinition,
        },
    },
};

/// Was growth refused? A module that runs out of memory can only trap, and the trap doesn't say why.
#[derive(Clone, Debug, Default)]
pub(crate) struct GrowthRefused(Arc<AtomicBool>);

impl GrowthRefused {
    pub(crate) fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }

    fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The engine's usual choices with a lower maximum.
pub(crate) struct BoundedMemory {
    pub(crate) pages_max: Pages,
    pub(crate) refused: GrowthRefused,
}

impl BoundedMemory {
    fn bounded(&self, ty: &MemoryType) -> Result<MemoryType, MemoryError> {
        if ty.minimum > self.pages_max {
            return Err(MemoryError::CouldNotGrow { current: Pages(0), attempted_delta: ty.minimum });
        }
        let maximum = ty.maximum.map_or(self.pages_max, |declared| declared.min(self.pages_max));
        Ok(MemoryType { maximum: Some(maximum), ..*ty })
    }

    fn watched(&self, memory: VMMemory) -> VMMemory {
        let watched: Box<dyn LinearMemory + Send + Sync> =
            Box::new(WatchedMemory { inner: memory, refused: self.refused.clone() });
        VMMemory(watched)
    }
}

// The trait's own signatures are unsafe; each is passed on with the caller's promise.
#[allow(unsafe_code)]
impl Tunables for BoundedMemory {
    fn memory_style(&self, memory: &MemoryType) -> MemoryStyle {
        BaseTunables {}.memory_style(memory)
    }

    fn table_style(&self, table: &TableType) -> TableStyle {
        BaseTunables {}.table_style(table)
    }

    fn create_host_memory(&self, ty: &MemoryType, style: &MemoryStyle) -> Result<VMMemory, MemoryError> {
        Ok(self.watched(BaseTunables {}.create_host_memory(&self.bounded(ty)?, style)?))
    }

    unsafe fn create_vm_memory(
        &self,
        ty: &MemoryType,
        style: &MemoryStyle,
        definition: NonNull<VMMemoryDefinition>,
    ) -> Result<VMMemory, MemoryError> {
        // SAFETY: the caller promises that the definition is valid, and it is passed on unchanged.
        let memory = unsafe { BaseTunables {}.create_vm_memory(&self.bounded(ty)?, style, definition)? };
        Ok(self.watched(memory))
    }

    fn create_host_table(&self, ty: &TableType, style: &TableStyle) -> Result<VMTable, String> {
        BaseTunables {}.create_host_table(ty, style)
    }

    unsafe fn create_vm_table(
        &self,
        ty: &TableType,
        style: &TableStyle,
        definition: NonNull<VMTableDefinition>,
    ) -> Result<VMTable, String> {
        // SAFETY: the caller promises that the definition is valid, and it is passed on unchanged.
        unsafe { BaseTunables {}.create_vm_table(ty, style, definition) }
    }
}

/// A memory that remembers when it couldn't grow.
#[derive(Debug)]
struct WatchedMemory {
    inner: VMMemory,
    refused: GrowthRefused,
}

impl LinearMemory for WatchedMemory {
    fn ty(&self) -> MemoryType {
        self.inner.ty()
    }

    fn size(&self) -> Pages {
        self.inner.size()
    }

    fn style(&self) -> MemoryStyle {
        self.inner.style()
    }

    fn grow(&mut self, delta: Pages) -> Result<Pages, MemoryError> {
        self.inner.grow(delta).inspect_err(|_| self.refused.set())
    }

    fn vmmemory(&self) -> NonNull<VMMemoryDefinition> {
        self.inner.vmmemory()
    }

    fn try_clone(&self) -> Result<Box<dyn LinearMemory + Send + Sync>, MemoryError> {
        self.inner.0.try_clone()
    }

    fn copy(&self) -> Result<Box<dyn LinearMemory + Send + Sync>, MemoryError> {
        self.inner.copy()
    }
}
