//! What happens in the middle of a look, and what a look costs. Ways of saving a
//! file between looks are in `tests/`.

use core::fmt;

use super::super::std::fs;
use super::super::std::path::Path;
use super::*;

/// Something that happens in the middle of a look.
#[derive(Default)]
pub(super) struct Meanwhile(Option<Box<dyn FnMut(Step) + Send>>);

impl Meanwhile {
    pub(super) fn call(&mut self, step: Step) {
        if let Some(act) = &mut self.0 {
            act(step);
        }
    }
}

impl fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meanwhile")
    }
}
