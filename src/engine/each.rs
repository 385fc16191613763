//! What a change does to a map, entry by entry.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::listener::BoxError;

/// What a change does to one entry of a map: see
/// [`Engine::on_change_of_each`](crate::engine::Engine::on_change_of_each).
///
/// `Debug` leaves the values out: they may hold secrets.
pub enum EntryChange<'a, V> {
    /// The key is new, with this value.
    Added(&'a V),
    /// The key is gone; this was its value.
    Removed(&'a V),
    /// The key stays, and its value is another one.
    Changed {
        /// The value before.
        old: &'a V,
        /// The value now.
        new: &'a V,
    },
}

impl<'a, V> EntryChange<'a, V> {
    /// Returns the value before; `None` if the entry was added.
    #[must_use]
    pub fn before(&self) -> Option<&'a V> {
        match *self {
            EntryChange::Added(_) => None,
            EntryChange::Removed(old) | EntryChange::Changed { old, .. } => Some(old),
        }
    }

    /// Returns the value now; `None` if the entry was removed.
    #[must_use]
    pub fn after(&self) -> Option<&'a V> {
        match *self {
            EntryChange::Removed(_) => None,
            EntryChange::Added(new) | EntryChange::Changed { new, .. } => Some(new),
        }
    }
}

impl<V> Clone for EntryChange<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for EntryChange<'_, V> {}

impl<V> fmt::Debug for EntryChange<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EntryChange::Added(_) => "Added(..)",
            EntryChange::Removed(_) => "Removed(..)",
            EntryChange::Changed { .. } => "Changed { .. }",
        })
    }
}

/// Notifies of every entry that differs, in key order, whatever it returns for the
/// others.
pub(crate) fn notify_of_each<'a, K: Ord + 'a, V: PartialEq + 'a>(
    old: impl IntoIterator<Item = (&'a K, &'a V)>,
    new: impl IntoIterator<Item = (&'a K, &'a V)>,
    mut notify: impl FnMut(&K, EntryChange<'_, V>) -> Result<(), BoxError>,
) -> Result<(), BoxError> {
    // A hash map has no order of its own.
    let mut entries: BTreeMap<&K, (Option<&V>, Option<&V>)> = BTreeMap::new();
    for (key, value) in old {
        entries.entry(key).or_default().0 = Some(value);
    }
    for (key, value) in new {
        entries.entry(key).or_default().1 = Some(value);
    }
    let mut errors = Vec::new();
    for (key, values) in entries {
        let change = match values {
            (None, Some(new)) => EntryChange::Added(new),
            (Some(old), None) => EntryChange::Removed(old),
            (Some(old), Some(new)) if old != new => EntryChange::Changed { old, new },
            _ => continue,
        };
        errors.extend(notify(key, change).err());
    }
    all_of(errors)
}

/// One error that says what all of them say.
fn all_of(mut errors: Vec<BoxError>) -> Result<(), BoxError> {
    match errors.len() {
        0 => Ok(()),
        // Whoever boxed it finds its type again.
        1 => Err(errors.remove(0)),
        _ => {
            let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
            Err(texts.join("; ").into())
        }
    }
}
