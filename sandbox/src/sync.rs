//! Locks whose holders may have panicked: what they guard is still the best there is.

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Locking a `Mutex` whatever happened to earlier holders.
pub trait Guarded<T> {
    /// The value, once nobody else has it.
    fn guarded(&self) -> MutexGuard<'_, T>;
}

impl<T> Guarded<T> for Mutex<T> {
    fn guarded(&self) -> MutexGuard<'_, T> {
        self.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Locking a `RwLock` whatever happened to earlier holders.
pub trait Shared<T> {
    /// The value, to read.
    fn shared(&self) -> RwLockReadGuard<'_, T>;
    /// The value, to change.
    fn exclusive(&self) -> RwLockWriteGuard<'_, T>;
}

impl<T> Shared<T> for RwLock<T> {
    fn shared(&self) -> RwLockReadGuard<'_, T> {
        self.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn exclusive(&self) -> RwLockWriteGuard<'_, T> {
        self.write().unwrap_or_else(PoisonError::into_inner)
    }
}
